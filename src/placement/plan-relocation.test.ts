import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GpuRelocation } from "../api/gpu-relocation.ts";
import { instanceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import {
  at,
  begun,
  change,
  coldOf,
  finish,
  grow,
  leave,
  look,
  node,
  placesOf,
  service,
  stageOf,
  strong,
  warmOf,
  worldOf,
  type Stage,
} from "./fake-relocation.ts";
import { planPartitions } from "./plan-partitions.ts";
import { planRelocation } from "./plan-relocation.ts";
import type { InstanceRequest } from "./placement-request.ts";

const tell = ({ victims, places, cut }: GpuRelocation): string =>
  `${cut === null ? "moves" : "cuts"} ${victims.map((victim) => `${victim.instance} ${at(victim.from)} -> ${at(victim.to)}`).join(", ")}, for ${places.map(at).join(" + ")}`;

const told = (stage: Stage): string => {
  const relocation = begun(stage);
  return relocation === null ? "nobody moves" : tell(relocation);
};
/** Plays until it has ended. @returns its end. */

/** One card: hot b at 4, v at 2, all else free: no half of it for a 3g. */
function split(victim: (requests: readonly InstanceRequest[]) => readonly InstanceRequest[], spec: JsonObject = {}): Stage {
  const stage = stageOf([node("n", 1)]);
  grow(stage, strong("a", "20GB"), strong("b", "20GB"), victim(strong("v", "20GB", spec)));
  leave(stage, "a");
  return stage;
}

test("a MIG GPU is cut anew: the warm victim goes to another start, then the wish has its place", () => {
  const stage = split(warmOf);
  assert.deepEqual(placesOf(stage), { "b-hot-1": "n/0 1g-double@4", "v-warm-1": "n/0 1g-double@2" });
  grow(stage, strong("wish", "40GB"));
  assert.equal(told(stage), "cuts v-warm-1 n/0 1g-double@2 -> n/0 1g-double@6, for n/0 3g@0");
  assert.equal(finish(stage), "Completed");
  assert.deepEqual(placesOf(stage), { "b-hot-1": "n/0 1g-double@4", "v-warm-1": "n/0 1g-double@6", "wish-hot-1": "n/0 3g@0" });
});

test("nobody is moved who is the only hot instance of his service, or dearer than who asks", () => {
  const hot = split((requests) => requests);
  grow(hot, strong("wish", "40GB"));
  assert.equal(told(hot), "nobody moves");
  const dear = split(warmOf, {
    tier: "gold",
    warmStandby: { gpuCount: 0 },
    coldStandby: { gpuCount: 0 },
    hotStandby: { gpuMemoryShare: true, memoryReserved: "20GB" },
  });
  grow(dear, strong("wish", "40GB"));
  assert.equal(told(dear), "nobody moves");
});

test("nobody of a higher priority moves, and nobody at all for bytes above the cap of a class", () => {
  const ahead = split(warmOf, { priority: 5 });
  grow(ahead, strong("wish", "40GB"));
  assert.equal(told(ahead), "nobody moves");
  const capped = split(warmOf);
  grow(
    capped,
    strong("wish", "40GB").map((request) => ({ ...request, capBytes: 20e9 })),
  );
  assert.equal(told(capped), "nobody moves");
});

test("of two hot instances of a service one is moved where no other victim helps", () => {
  const twins = (requests: readonly InstanceRequest[]): readonly InstanceRequest[] =>
    requests.flatMap((request) => [request, { ...request, instance: instanceName("v-hot-2") }]);
  const stage = stageOf([node("n", 1), node("o", 1)]);
  grow(stage, strong("a", "20GB"), strong("b", "20GB"), twins(strong("v", "20GB")), strong("f", "40GB"));
  leave(stage, "a");
  assert.deepEqual(placesOf(stage), {
    "b-hot-1": "n/0 1g-double@4",
    "f-hot-1": "o/0 3g@0",
    "v-hot-1": "n/0 1g-double@2",
    "v-hot-2": "o/0 1g-double@6",
  });
  grow(stage, strong("wish", "40GB"));
  assert.equal(told(stage), "cuts v-hot-1 n/0 1g-double@2 -> n/0 1g-double@6, for n/0 3g@0");
  assert.equal(finish(stage), "Completed");
});

test("an exclusive wish gets the card whose only holder, a warm instance, fits elsewhere", () => {
  const stage = stageOf([node("n", 2)]);
  grow(stage, warmOf(service("w", "30GB")), service("x", "60GB"), service("y", "20GB"));
  leave(stage, "x");
  assert.deepEqual(placesOf(stage), { "w-warm-1": "n/0", "y-hot-1": "n/1" });
  grow(stage, service("z", "40GB", { hotStandby: { gpuMemoryShare: false, memoryReserved: "40GB" } }));
  assert.equal(told(stage), "moves w-warm-1 n/0 -> n/1, for n/0");
  assert.equal(finish(stage), "Completed");
  assert.deepEqual(placesOf(stage), { "w-warm-1": "n/1", "y-hot-1": "n/1", "z-hot-1": "n/0" });
});

test("a reserve, in which nothing runs, moves before a warm instance", () => {
  const stage = stageOf([node("n", 2)]);
  grow(stage, warmOf(service("w", "20GB")), coldOf(service("k", "30GB")), service("x", "60GB"));
  assert.deepEqual(placesOf(stage), { "w-warm-1": "n/0", "k-cold-1": "n/0", "x-hot-1": "n/1" });
  leave(stage, "x");
  grow(stage, service("y", "35GB"), service("z", "50GB"));
  assert.equal(told(stage), "moves k-cold-1 n/0 -> n/1, for n/0");
  assert.equal(finish(stage), "Completed");
});

for (const { name, health, isBegun } of [
  { name: "well", health: "ok", isBegun: true },
  { name: "lost", health: "lost", isBegun: false },
  { name: "in need of a reset", health: "needs-reset", isBegun: false },
] as const) {
  test(`a victim is told to go to a GPU that is ${name}: ${isBegun ? "yes" : "no"}`, () => {
    const stage = stageOf([node("n0", 1)]);
    stage.mayBegin = false;
    grow(stage, service("f", "50GB"), warmOf(service("v", "30GB")));
    stage.nodes = [node("n1", 1), ...stage.nodes];
    const wish = service("w", "25GB").map((request) => ({ ...request, nodeSelector: { seat: "n0" } }));
    stage.wanted = [...stage.wanted, ...wish];
    const world = worldOf(stage);
    const asked = {
      ...world,
      nodes: world.nodes.map((one) => (one.name === "n0" ? { ...one, labels: { ...one.labels, seat: "n0" } } : one)),
      seen: (world.seen ?? []).map((gpu) => (gpu.node === "n1" ? { ...gpu, health } : gpu)),
    };
    const begun = planRelocation(asked, planPartitions(asked));
    assert.deepEqual(begun?.victims.map(({ instance, to }) => [instance, to.node]) ?? null, isBegun ? [["v-warm-1", "n1"]] : null);
  });
}

test("where tenants must not meet, a card is not cut for another tenant, and a reserve leaves the card that another one then has", () => {
  const unsafe = { containerToolkit: "1.17.4" };
  const own = (name: string, memory: string) => strong(name, memory, { tenant: "t" });
  const cut = stageOf([node("n", 1, "main", unsafe)]);
  grow(cut, own("a", "20GB"), own("b", "20GB"), warmOf(own("v", "20GB")));
  leave(cut, "a");
  assert.deepEqual(placesOf(cut), { "b-hot-1": "n/0 1g-double@4", "v-warm-1": "n/0 1g-double@2" });
  grow(cut, strong("wish", "40GB"));
  assert.equal(told(cut), "nobody moves");
  grow(cut, own("own", "40GB"));
  assert.equal(told(cut), "cuts v-warm-1 n/0 1g-double@2 -> n/0 1g-double@6, for n/0 3g@0");
  const stage = stageOf([node("n", 1, "main", unsafe), node("o", 1)]);
  const reserve = service("k", "30GB").map((request): InstanceRequest => ({
    ...request,
    level: "cold",
    instance: instanceName("k-cold-1"),
  }));
  grow(stage, reserve, service("x", "50GB"));
  assert.deepEqual(placesOf(stage), { "k-cold-1": "n/0", "x-hot-1": "o/0" });
  grow(stage, service("y", "40GB"));
  assert.equal(told(stage), "moves k-cold-1 n/0 -> o/0, for n/0");
  assert.equal(finish(stage), "Completed");
});

const WISH: JsonObject = {
  tier: "platinum",
  coldStandby: { gpuCount: 0 },
  warmStandby: { gpuCount: 0 },
  hotStandby: { gpuCount: 1, gpuMemoryShare: true, memoryReserved: "40GB" },
};
/** Half a card, a whole one, two of one node, or a quarter that asks for half later. */
const WISHES = {
  half: service("wish", "40GB", { isolation: "strong", ...WISH }),
  whole: service("wish", "40GB", { ...WISH, hotStandby: { gpuCount: 1, gpuMemoryShare: false, memoryReserved: "40GB" } }),
  pair: service("wish", "80GB", {
    ...WISH,
    model: { name: "wish", weights: "4GB", tensorParallelSize: 2 },
    hotStandby: { gpuCount: 2, memoryReserved: "80GB" },
  }),
  grown: warmOf(service("wish", "20GB", { isolation: "strong", ...WISH, hotStandby: { gpuMemoryShare: true, memoryReserved: "20GB" } })),
};
const GROWN = warmOf(WISHES.half).filter(({ level }) => level === "warm");
const anyWish = fc.constantFrom("half", "whole", "pair", "grown");
const anyTenant = fc.record({
  memory: fc.constantFrom("10GB", "10GB", "20GB", "40GB"),
  isolation: fc.constantFrom("none", "strong", "strong"),
  kind: fc.constantFrom("warm", "warm", "warm", "cold", "cold", "hot"),
  comesFirst: fc.constantFrom(false, false, false, false, false, false, true),
  leaves: fc.constantFrom(true, false, false),
});
const anyLuck = fc.array(fc.constantFrom("fine", "fine", "fine", "refused", "late", "stuck"), { maxLength: 12 });

test("what was begun is finished or taken back from any state in which it stops, and nothing is ever where something runs", () => {
  const ends = new Map<string, number>();
  const begins = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(anyTenant, { minLength: 6, maxLength: 16 }), anyWish, anyLuck, (list, way, luck) => {
      const stage = stageOf([node("m", 1), node("n", 2)]);
      stage.mayBegin = false;
      if (way === "grown") grow(stage, WISHES.grown);
      for (const [index, { memory, isolation, kind, comesFirst }] of list.entries()) {
        const own = service(`s${index}`, memory, { isolation });
        const requests = kind === "warm" ? warmOf(own) : kind === "cold" ? coldOf(own) : own;
        grow(stage, comesFirst ? requests.map((request) => ({ ...request, tier: "platinum", priority: 5 })) : requests);
      }
      leave(stage, ...list.flatMap(({ leaves }, index) => (leaves ? [`s${index}`] : [])));
      // Who was refused before goes: one asks.
      const places = placesOf(stage);
      stage.wanted = stage.wanted.filter(({ instance }) => places[instance] !== "nowhere");
      stage.mayBegin = true;
      const before = placesOf(stage);
      if (way === "grown") change(stage, GROWN);
      else grow(stage, WISHES[way]);
      const relocation = begun(stage);
      if (relocation === null) return;
      begins.set(way, (begins.get(way) ?? 0) + 1);
      const first = stage.wanted.filter(({ priority }) => priority === 5).map(({ instance }) => instance);
      for (const fate of luck) {
        if (fate === "late") stage.elapsedMs += relocation.budgetMs + 1;
        for (let times = fate === "refused" ? 3 : 1; times > 0; times -= 1)
          look(stage, { refusal: fate === "refused" ? "no" : null, isStuck: fate === "stuck" });
      }
      const end = finish(stage);
      ends.set(end, (ends.get(end) ?? 0) + 1);
      const now = placesOf(stage);
      for (const instance of first) assert.equal(now[instance], before[instance], `${instance} comes first`);
      if (end === "Completed") assert.equal(now[relocation.wish], relocation.places.map(at).join(" + "));
      for (const { instance } of relocation.victims) assert.notEqual(now[instance], "nowhere", `${instance} after ${end}`);
      assert.equal(begun(stage)?.status?.endedAt, "now", JSON.stringify(begun(stage)?.status));
    }),
    { numRuns: 400 },
  );
  for (const way of Object.keys(WISHES)) assert.ok((begins.get(way) ?? 0) > 5, JSON.stringify([...begins]));
  assert.ok((ends.get("Completed") ?? 0) > 10 && (ends.get("RolledBack") ?? 0) > 5, JSON.stringify([...ends]));
});
