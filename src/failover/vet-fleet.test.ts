import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceName, nodeName, partitionName, serviceName, tenantId } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { fakeConfig, fakeNode } from "./fake-fleet.ts";
import { vetFleet } from "./vet-fleet.ts";

const zones = [fakeNode("a", "az-1"), fakeNode("b", "az-2")];
const AZ_1 = { "topology.kubernetes.io/zone": "az-1" };
const AZ_2 = { "topology.kubernetes.io/zone": "az-2" };
const asleep = (name: string, more: JsonObject = {}) =>
  fakeConfig(name, {
    tier: "gold",
    hotStandby: { gpuCount: 1, nodeSelector: AZ_1 },
    warmStandby: { rest: "asleep", nodeSelector: AZ_2 },
    coldStandby: { gpuCount: 0 },
    ...more,
  });
const vet = (configs: ReturnType<typeof asleep>[], nodes = zones, lastMs: Readonly<Record<string, number>> = {}) =>
  vetFleet({ configs, nodes, known: [], lastRtoMs: new Map(Object.entries(lastMs).map(([name, ms]) => [serviceName(name), ms])) });
const risksOf = (name: string, vetted: ReturnType<typeof vet>): readonly string[] => vetted.get(serviceName(name))?.risks ?? ["not vetted"];

test("a service that comes back in time is at no risk, and its longest recovery is told", () => {
  const vetting = vet([asleep("g")]).get(serviceName("g"));
  assert.deepEqual([vetting?.impossible, vetting?.risks], [null, []]);
  // 2,050 + 16,000 / 54 + 200 + 50 + 32.8.
  assert.equal(vetting?.worstMs?.toFixed(1), "2629.1");
});

test("two wakes over one link are too late together, and each alone is in time", () => {
  const promise = { model: { name: "m", weights: "54GB" }, failoverPolicy: { rtoTarget: "3400ms" } };
  const [first, second] = [
    asleep("first", { ...promise, tier: "platinum", failoverPolicy: { rtoTarget: "5s" } }),
    asleep("second", promise),
  ];
  assert.deepEqual(risksOf("second", vet([second])), []);
  const both = vet([first, second]);
  assert.deepEqual(risksOf("first", both), []);
  // 54 GB over 54 GB/s = 1 s, + 0.2 s, + 0.05 s to verify, for each of the two.
  assert.deepEqual(risksOf("second", both), [
    "second: loss of node a: 2 s to find a hang + 1.3 s behind first + 1.2 s for the wake of 54 GB over 54 GB/s hostToGpu of b + 0.05 s to verify + 0.03 s to read 1 x 8192 tokens again = 4.6 s, over rtoTarget 3.4 s. 1 more loss takes too long.",
  ]);
});

test("a dearer wake is late too where a cheaper one may have begun before it", () => {
  const promise = { model: { name: "m", weights: "54GB" }, failoverPolicy: { rtoTarget: "4300ms" } };
  const both = vet([
    asleep("first", { ...promise, tier: "platinum" }),
    asleep("second", { ...promise, failoverPolicy: { rtoTarget: "9s" } }),
  ]);
  assert.deepEqual(risksOf("second", both), []);
  assert.deepEqual(risksOf("first", both), [
    "first: loss of node a: 2 s to find a hang + 1 s beside second + 1.2 s for the wake of 54 GB over 54 GB/s hostToGpu of b + 0.05 s to verify + 0.03 s to read 1 x 8192 tokens again = 4.3 s, over rtoTarget 4.3 s. 1 more loss takes too long.",
  ]);
});

test("a wake that takes longer than gateways wait for one puts a promise at risk that the sum alone keeps", () => {
  // 108 GB over 54 GB/s = 2 s, + 0.2 s, + 0.05 s, and gateways wait for 60 % of the target: 2.6 s of 4.4 s keep it, and with 1 s of another wake 3.2 s of 5.4 s do not.
  const heavy = (rtoTarget: string) => ({
    model: { name: "m", weights: "108GB", tensorParallelSize: 2 },
    hotStandby: { gpuCount: 2, nodeSelector: AZ_1 },
    warmStandby: { gpuCount: 2, rest: "asleep", nodeSelector: AZ_2 },
    failoverPolicy: { rtoTarget },
  });
  assert.deepEqual(risksOf("h", vet([asleep("h", heavy("4400ms"))])), []);
  const light = asleep("l", { tier: "silver", model: { name: "m", weights: "54GB" } });
  assert.deepEqual(risksOf("h", vet([asleep("h", heavy("5400ms")), light])), [
    "h: 2.2 s for the wake of 108 GB over 54 GB/s hostToGpu of b + 1 s beside l + 0.05 s to verify = 3.3 s, and a wake is given up after 3.2 s, its share of rtoTarget 5.4 s.",
  ]);
});

test("without nodes nothing is worked out, and nothing refused", () => {
  assert.deepEqual(vet([asleep("g")], []).get(serviceName("g")), { impossible: null, risks: [], worstMs: null });
});

test("a line names three services that come first, and counts the others", () => {
  const promise = { model: { name: "m", weights: "54GB" }, failoverPolicy: { rtoTarget: "3400ms" } };
  const five = ["p1", "p2", "p3", "p4"].map((name) => asleep(name, { ...promise, tier: "platinum" }));
  const wide = [
    fakeNode("a", "az-1", { gpus: [{ model: "H100-80GB", count: 8 }] }),
    fakeNode("b", "az-2", { gpus: [{ model: "H100-80GB", count: 8 }] }),
  ];
  assert.match(risksOf("last", vet([asleep("last", promise), ...five], wide))[0] ?? "", / \+ 5 s behind p1, p2, p3 and 1 more \+ /);
});

test("a loss that leaves nothing is told as that", () => {
  const pinned = fakeConfig("z", { tier: "silver", hotStandby: { nodeSelector: { "topology.kubernetes.io/zone": "az-1" } } });
  assert.deepEqual(risksOf("z", vet([pinned])), [
    "z: loss of node a: nothing of it is left, and no other node that it may use: rtoTarget 60 s cannot be kept. 1 more loss takes too long.",
  ]);
});

test("the last failover puts a promise at risk that arithmetic does not", () => {
  assert.deepEqual(risksOf("g", vet([asleep("g")], zones, { g: 17_200, other: 99_000 })), [
    "g: its last failover took 17.2 s, over rtoTarget 15 s.",
  ]);
  assert.deepEqual(risksOf("g", vet([asleep("g")], zones, { g: 15_000 })), []);
});

test("sleepers that a host cannot keep beside others are told, the dearest one has its place", () => {
  const heavy = { model: { name: "m", weights: "60GB" }, failoverPolicy: { rtoTarget: "60s" } };
  const small = [fakeNode("a", "az-1"), fakeNode("b", "az-2", { hostMemory: "100GB" })];
  const vetted = vet([asleep("dear", { ...heavy, tier: "platinum" }), asleep("cheap", heavy)], small);
  assert.deepEqual(risksOf("dear", vetted), []);
  assert.deepEqual(risksOf("cheap", vetted), [
    "cheap: cheap-warm-1 keeps 60 GB of weights in host memory, and beside the other sleepers the node with the most has 40 GB left.",
  ]);
});

test("sleepers whose host has become smaller than what they keep are all told", () => {
  const placed = [asleep("one"), asleep("two")];
  const partition = (service: string, gpu: number) => ({
    name: partitionName(`${service}-gpu-partition-${service}-warm-1-1`),
    tenant: tenantId(service),
    service: serviceName(service),
    instance: instanceName(`${service}-warm-1`),
    mode: "mps" as const,
    memoryBytes: 20e9,
    computePercent: 80,
    node: nodeName("b"),
    gpu,
    mig: null,
    leaving: null,
    phase: "Bound" as const,
  });
  const small = [fakeNode("a", "az-1"), fakeNode("b", "az-2", { hostMemory: "31GB" })];
  const vetted = vetFleet({ configs: placed, nodes: small, known: [partition("one", 0), partition("two", 1)], lastRtoMs: new Map() });
  assert.deepEqual(risksOf("two", vetted), [
    "two: the sleepers of b keep 32 GB of weights, and its host memory is 31 GB: not all of them can sleep there.",
  ]);
});

test("an impossible promise is its only risk", () => {
  const vetted = vet([fakeConfig("x", { tier: "silver", model: { name: "m", weights: "60GB" }, failoverPolicy: { rtoTarget: "5s" } })]);
  const vetting = vetted.get(serviceName("x"));
  assert.deepEqual(vetting?.risks, [vetting?.impossible?.what]);
});
