import assert from "node:assert/strict";
import { test } from "node:test";
import type { GpuNode } from "../api/gpu-node.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { instanceName, nodeName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { explainCandidates } from "./explain-candidates.ts";
import { explainRefusal } from "./explain-refusal.ts";
import { grow, look, node as plain, placesOf, service, stageOf, warmOf, worldOf } from "./fake-relocation.ts";
import { createFleetRoom } from "./fleet-room.ts";
import { placeInstances, slicesOf } from "./place-instances.ts";
import { planPartitions, type AnyPartition, type SeenGpu } from "./plan-partitions.ts";
import { placeKey, type InstanceRequest } from "./placement-request.ts";
import { requestsOf } from "./requests-of.ts";

function node(name: string, spec: JsonObject = {}): GpuNode {
  const read = parseGpuNode({ name, labels: {}, spec: { gpus: [{ model: "H100-80GB" }], ...spec } });
  assert.ok(read.ok, JSON.stringify(read));
  return read.value;
}
const unsafe = (name: string): GpuNode => node(name, { containerToolkit: "1.17.7" });

/** One shared hot instance of 20 GB. */
function share(name: string, tenant: string, spec: JsonObject = {}): readonly InstanceRequest[] {
  const hotStandby = { memoryReserved: "20GB" };
  const read = parseHotStandbyConfig({ name, spec: { tenant, tier: "silver", model: { name, weights: "4GB" }, hotStandby, ...spec } });
  assert.ok(read.ok, JSON.stringify(read));
  return requestsOf(read.value);
}
const TWO = [...share("a", "t1"), ...share("b", "t2")];

const cases: readonly {
  readonly name: string;
  readonly wanted: readonly InstanceRequest[];
  readonly nodes: readonly GpuNode[];
  readonly places: readonly string[];
}[] = [
  { name: "tenants share a GPU where no toolkit is named", wanted: TWO, nodes: [node("n")], places: ["a n/0", "b n/0"] },
  {
    name: "tenants share a GPU of a node with a toolkit that keeps them apart",
    wanted: TWO,
    nodes: [node("n", { containerToolkit: "1.17.8" })],
    places: ["a n/0", "b n/0"],
  },
  {
    name: "a second tenant goes to another GPU where the toolkit is too old",
    wanted: TWO,
    nodes: [unsafe("n"), unsafe("o")],
    places: ["a n/0", "b o/0"],
  },
  { name: "a second tenant without another GPU has no place", wanted: TWO, nodes: [unsafe("n")], places: ["a n/0", "b TENANTS_MIXED"] },
  {
    name: "services of one tenant share a GPU whatever the toolkit",
    wanted: [...share("a", "t1"), ...share("b", "t1")],
    nodes: [unsafe("n")],
    places: ["a n/0", "b n/0"],
  },
  {
    name: "MIG does not part tenants whose containers can get out",
    wanted: [...share("a", "t1", { isolation: "strong" }), ...share("b", "t2", { isolation: "strong" })],
    nodes: [unsafe("n")],
    places: ["a n/0", "b TENANTS_MIXED"],
  },
  {
    name: "where nothing had room anyway, that is what is said",
    wanted: [...TWO, ...share("c", "t1", { hotStandby: { memoryReserved: "70GB" } })],
    nodes: [unsafe("n"), unsafe("o")],
    places: ["a n/0", "b o/0", "c NO_CAPACITY"],
  },
];
for (const { name, wanted, nodes, places } of cases) {
  test(`tenants apart: ${name}`, () => {
    const { placed, refused } = placeInstances(wanted, { nodes, held: [], lost: [], quarantined: [] });
    const told = [
      ...placed.map(({ request, members }) => `${request.service} ${members.map(placeKey).join()}`),
      ...refused.map(({ request, refusal }) => `${request.service} ${refusal.code}`),
    ];
    assert.deepEqual(told.toSorted(), places);
  });
}

test("the refusal and the candidate say whom it would meet, on which GPU, and why it must not", () => {
  const nodes = [unsafe("n")];
  const { placed, refused } = placeInstances(TWO, { nodes, held: [], lost: [], quarantined: [] });
  const [left] = refused;
  assert.ok(left !== undefined);
  const { why, next } = explainRefusal(left.refusal);
  const reason = "t1 is on the GPU, and its node has NVIDIA Container Toolkit 1.17.7: below 1.17.8 a container can reach its neighbours";
  assert.equal(why, `n/0 would have room, but ${reason}.`);
  assert.match(next, /containerToolkit/);
  const held = placed.flatMap(({ request, members }) => slicesOf(request, members));
  const [candidate] = explainCandidates(left.request, createFleetRoom({ nodes, held, lost: [], quarantined: [] }));
  assert.equal(candidate?.why, `It has 0 of 1 GPU with 20 GB: 0 cannot by mps: ${reason}.`);
});

test("a GPU with a process of no known tenant takes nobody where tenants must not meet", () => {
  const stray = { node: nodeName("n"), gpu: 0, health: "ok", holders: [{ instance: instanceName("x"), usedBytes: 1e9 }] } as const;
  const world = { wanted: share("a", "t1"), untouched: new Set<never>(), known: [], seen: [stray], quarantined: [] };
  const codes = (of: GpuNode) =>
    planPartitions({ ...world, nodes: [of] }).desired.map(({ partition }) => (partition.node === null ? partition.refusal.code : "placed"));
  assert.deepEqual([codes(unsafe("n")), codes(node("n"))], [["TENANTS_MIXED"], ["placed"]]);
});

for (const isolation of ["none", "strong"]) {
  test(`of tenants with ${isolation} isolation who share a GPU already when its toolkit turns out to be old, only those who run stay`, () => {
    const wanted = [...share("a", "t1", { isolation }), ...share("b", "t2", { isolation })];
    const plan = (nodes: readonly GpuNode[], known: readonly AnyPartition[], running: readonly string[]): readonly AnyPartition[] => {
      const seenAt = ({ name }: GpuNode): SeenGpu => {
        const holders = known.filter(({ node: at, instance }) => at === name && running.includes(instance));
        return { node: name, gpu: 0, health: "ok", holders: holders.map(({ instance }) => ({ instance, usedBytes: 1e9 })) };
      };
      const world = { wanted, untouched: new Set<never>(), known, nodes, seen: nodes.map(seenAt), quarantined: [] };
      return planPartitions(world).desired.map(({ partition }) => partition);
    };
    const places = (partitions: readonly AnyPartition[]) => partitions.map(({ service, node: at }) => `${service} ${at}`).toSorted();
    const mixed = plan([node("n"), node("o")], [], []);
    assert.deepEqual(places(mixed), ["a n", "b n"]);
    const nodes = [unsafe("n"), node("o")];
    assert.deepEqual(places(plan(nodes, mixed, ["a-hot-1", "b-hot-1"])), ["a n", "b n"]);
    const parted = plan(nodes, mixed, ["a-hot-1"]);
    assert.deepEqual(places(parted), ["a n", "b o"]);
    assert.deepEqual(places(plan(nodes, parted, [])), ["a n", "b o"]);
  });
}

test("two tenants that do not run are not started again on one GPU of a node that turned out unsafe", () => {
  const stage = stageOf([plain("n", 1)]);
  for (const name of ["a", "b"]) grow(stage, service(name, "20GB"));
  assert.deepEqual(placesOf(stage), { "a-hot-1": "n/0", "b-hot-1": "n/0" });
  stage.running.clear();
  stage.nodes = [plain("n", 1, "main", { containerToolkit: "1.17.7" }), ...stage.nodes.slice(1)];
  const { desired } = planPartitions(worldOf(stage));
  const told = desired.map(({ partition }) => (partition.node === null ? partition.refusal.code : `${partition.node}/${partition.gpu}`));
  assert.deepEqual(told.toSorted(), ["TENANTS_MIXED", "n/0"]);
});

test("two tenants that run on a GPU of a node that turned out unsafe are not moved, whatever else is free", () => {
  const stage = stageOf([plain("n", 1), plain("o", 1)]);
  for (const name of ["a", "b"]) grow(stage, warmOf(service(name, "20GB")));
  const before = placesOf(stage);
  stage.nodes = [plain("n", 1, "main", { containerToolkit: "1.17.7" }), plain("o", 1), ...stage.nodes.slice(2)];
  const { desired } = planPartitions(worldOf(stage));
  assert.deepEqual(
    desired.filter(({ partition }) => partition.leaving !== null),
    [],
  );
  look(stage);
  assert.deepEqual(placesOf(stage), before);
});
