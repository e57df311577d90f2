import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import { fakeConfig, fakeNode, fakePlacements } from "./fake-fleet.ts";
import { recoveryMs } from "./recovery-time.ts";
import { vetLosses } from "./vet-losses.ts";

const nodes = [fakeNode("a", "az-1"), fakeNode("b", "az-1"), fakeNode("c", "az-2")];
const asleep = (tier: "platinum" | "gold", more: JsonObject = {}): JsonObject => ({
  tier,
  hotStandby: { gpuCount: 1 },
  warmStandby: { rest: "asleep" },
  ...more,
});

/** Every loss that touches the service: what it takes in ms, whom it comes behind, with whom it may share the link; none = nothing of it is left. */
function lossesOf(service: string, configs: readonly HotStandbyConfig[], places: Readonly<Record<string, string>>, on = nodes) {
  const found = vetLosses({ configs, nodes: on, placements: fakePlacements(places) }).get(serviceName(service)) ?? [];
  return found.map(({ loss, time }) =>
    time === null
      ? `${loss}: none`
      : [
          `${loss}: ${recoveryMs(time).toFixed(1)}`,
          ...(time.behind.length === 0 ? [] : [`behind ${time.behind.join(", ")}`]),
          ...(time.beside === null ? [] : [`beside ${time.beside}`]),
        ].join(" "),
  );
}

// 16 GB over 54 GB/s = 296.3 ms, + 200 = 496.3; + 50 to verify = 546.3 for who waits. 1,750 to find a hang, 32.8 to read one context.
const platinum = fakeConfig("p", asleep("platinum"));
const gold = fakeConfig("g", asleep("gold"));
const high = fakeConfig("h", asleep("gold", { priority: "high" }));

test("a sleeper on another node wakes alone: 1,750 + 496.3 + 50 + 32.8 ms, whatever is lost", () => {
  assert.deepEqual(lossesOf("p", [platinum], { "p-hot-1": "a/0", "p-warm-1": "c/0" }), [
    "GPU a/0: 2629.1",
    "node a: 2629.1",
    "zone az-1: 2629.1",
  ]);
});

test("wakes over one link go by tier, then by priority, each dearer one costs 546.3 ms, and a cheaper one that runs 296.3 ms", () => {
  const places = { "p-hot-1": "a/0", "p-warm-1": "c/0", "g-hot-1": "a/1", "g-warm-1": "c/1", "h-hot-1": "a/2", "h-warm-1": "c/2" };
  const all = [gold, high, platinum];
  assert.deepEqual(
    ["p", "h", "g"].map((service) => lossesOf(service, all, places)[1]),
    ["node a: 2925.4 beside g", "node a: 3471.7 behind p beside g", "node a: 3721.7 behind h, p"],
  );
  assert.equal(lossesOf("g", all, places)[0], "GPU a/1: 2629.1", "the loss of its own GPU is nobody else's");
});

test("a cheaper wake that runs already costs a dearer one no more than the link had to carry for the dearer one itself", () => {
  const places = { "p-hot-1": "a/0", "p-warm-1": "c/0", "g-hot-1": "a/1", "g-warm-1": "c/1" };
  const model = (weights: string): JsonObject => ({ model: { name: "m", weights } });
  // 5.4 GB over 54 GB/s = 100 ms.
  const small = fakeConfig("g", asleep("gold", model("5400MB")));
  assert.deepEqual(lossesOf("p", [platinum, small], places)[1], "node a: 2729.1 beside g");
  const large = fakeConfig("g", asleep("gold", model("54GB")));
  assert.deepEqual(lossesOf("p", [platinum, large], places)[1], "node a: 2925.4 beside g");
});

test("of equally dear ones each is taken to come last", () => {
  const other = fakeConfig("o", asleep("gold"));
  const places = { "g-hot-1": "a/0", "g-warm-1": "c/0", "o-hot-1": "a/1", "o-warm-1": "c/1" };
  assert.deepEqual(lossesOf("g", [gold, other], places)[1], "node a: 3175.4 behind o");
  assert.deepEqual(lossesOf("o", [gold, other], places)[1], "node a: 3175.4 behind g");
});

test("a wake and a load share no link, and two nodes share none", () => {
  // 16 GB over 11 GB/s = 1,454.5 ms, + 200; its reserve of the same node loads over the network.
  const reserve = fakeConfig("r", {
    tier: "gold",
    hotStandby: { gpuCount: 1 },
    warmStandby: { gpuCount: 0 },
    coldStandby: { memoryReserved: "20GB" },
  });
  const places = { "p-hot-1": "a/0", "p-warm-1": "c/0", "r-hot-1": "a/1", "r-cold-1": "c/1", "g-hot-1": "a/2", "g-warm-1": "b/0" };
  assert.deepEqual(lossesOf("r", [platinum, reserve, gold], places)[1], "node a: 3787.3");
  assert.deepEqual(lossesOf("g", [platinum, reserve, gold], places)[1], "node a: 2629.1");
});

test("a hot or an awake warm instance that is left takes over, and no load is waited for", () => {
  const spread = fakeConfig("s", { tier: "platinum" });
  assert.deepEqual(lossesOf("s", [spread], { "s-hot-1": "a/0", "s-hot-2": "b/0", "s-warm-1": "c/0" }), [
    "GPU a/0: 2082.8",
    "GPU b/0: 2082.8",
    "node a: 2082.8",
    "node b: 2082.8",
    "zone az-1: 2082.8",
  ]);
});

test("two sleepers of a service wake side by side over two links, and the first serves", () => {
  const two = fakeConfig("t", asleep("gold", { warmStandby: { rest: "asleep", gpuCount: 2, memoryReserved: "40GB" } }));
  const places = { "p-hot-1": "a/0", "p-warm-1": "c/0", "t-hot-1": "a/1", "t-warm-1": "c/1", "t-warm-2": "b/0" };
  assert.deepEqual(lossesOf("t", [platinum, two], places)[1], "node a: 2629.1");
  assert.deepEqual(lossesOf("t", [platinum, two], { ...places, "t-warm-2": "c/2" })[1], "node a: 3175.4 behind p");
  const cheap = fakeConfig("u", asleep("gold", { priority: "low" }));
  assert.deepEqual(
    lossesOf("u", [two, cheap], { ...places, "t-warm-2": "c/2", "u-hot-1": "a/2", "u-warm-1": "c/3" })[1],
    "node a: 3721.7 behind t",
    "both of them go over the link first",
  );
});

test("with autoFailover false the dead load again where they may, and no wake stands before others", () => {
  const manual = fakeConfig("m", asleep("platinum", { failoverPolicy: { autoFailover: false } }));
  const places = { "m-hot-1": "a/0", "m-warm-1": "c/0", "g-hot-1": "a/1", "g-warm-1": "c/1" };
  assert.deepEqual(lossesOf("m", [manual, gold], places)[1], "node a: 3787.3");
  assert.deepEqual(lossesOf("g", [manual, gold], places)[1], "node a: 2629.1");
});

test("without a reserve it starts where it may: alone on one of several nodes, in the queue of the only one", () => {
  const spec = { tier: "silver", hotStandby: { gpuCount: 1 } } as const;
  const [one, two] = [fakeConfig("s1", spec), fakeConfig("s2", spec)];
  const places = { "s1-hot-1": "a/0", "s2-hot-1": "a/1" };
  assert.deepEqual(lossesOf("s1", [one, two], places), ["GPU a/0: 3787.3", "node a: 3787.3", "zone az-1: 5491.9 behind s2"]);
});

test("what may stand only in the lost zone has nothing left", () => {
  const selector = { nodeSelector: { "topology.kubernetes.io/zone": "az-2" } };
  const pinned = fakeConfig("z", { tier: "silver", hotStandby: { gpuCount: 1, ...selector } });
  assert.deepEqual(lossesOf("z", [pinned], { "z-hot-1": "c/0" }), ["GPU c/0: 3787.3", "node c: none", "zone az-2: none"]);
});

test("a node that keeps too few GPUs takes no wide instance", () => {
  const wide = fakeConfig("w", { tier: "silver", model: { name: "m", tensorParallelSize: 4 } });
  const [only, small] = [fakeNode("a", null), fakeNode("b", null, { gpus: [{ model: "H100-80GB", count: 2 }] })];
  assert.deepEqual(lossesOf("w", [wide], { "w-hot-1": "a/0" }, [only, small]), ["GPU a/0: none", "node a: none"]);
});

test("the loss of the whole fleet is no loss that is vetted", () => {
  assert.deepEqual(
    lossesOf("p", [platinum], { "p-hot-1": "a/0" }, [fakeNode("a", "az-1", { gpus: [{ model: "H100-80GB", count: 1 }] })]),
    [],
  );
});

test("a warm instance without a place is not counted on", () => {
  assert.deepEqual(lossesOf("p", [platinum], { "p-hot-1": "a/0" })[1], "node a: 3787.3");
});

test("half of the contexts are read again when half of the hot instances are lost, by all that are left", () => {
  const busy = fakeConfig("q", {
    tier: "platinum",
    limits: { concurrency: 100 },
    hotStandby: { gpuCount: 4 },
    warmStandby: { gpuCount: 0 },
  });
  // 50 x 8,192 tokens at 2 x 250,000 a second = 819.2 ms.
  const places = { "q-hot-1": "a/0", "q-hot-2": "a/1", "q-hot-3": "c/0", "q-hot-4": "c/1" };
  assert.deepEqual(lossesOf("q", [busy], places)[4], "node a: 2869.2");
});
