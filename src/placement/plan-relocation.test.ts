import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GpuNode } from "../api/gpu-node.ts";
import type { GpuRelocation, RelocationPlace } from "../api/gpu-relocation.ts";
import { formatPlacement, isLegal } from "../api/mig-layout.ts";
import { gpuRelocationSpec, parseGpuRelocation } from "../api/parse-gpu-relocation.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { instanceName, type InstanceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { nextRelocation, NO_ORDERS, type SeenPartition } from "./next-relocation.ts";
import { planPartitions, type AnyPartition, type PartitionWorld, type SeenGpu } from "./plan-partitions.ts";
import { planRelocation } from "./plan-relocation.ts";
import { placeKey, type InstanceRequest } from "./placement-request.ts";
import { requestsOf } from "./requests-of.ts";

function node(name: string, count: number, { use = "main", ...spec }: JsonObject & { readonly use?: string } = {}): GpuNode {
  const read = parseGpuNode({ name, labels: { use }, spec: { gpus: [{ model: "H100-80GB", count }], ...spec } });
  assert.ok(read.ok);
  return read.value;
}
function service(name: string, memory: string, spec: JsonObject = {}): readonly InstanceRequest[] {
  const model = { name, weights: "4GB" };
  const read = parseHotStandbyConfig({
    name,
    spec: { tenant: name, tier: "silver", model, hotStandby: { memoryReserved: memory }, ...spec },
  });
  assert.ok(read.ok, JSON.stringify(read));
  return requestsOf(read.value).map((request) => ({ ...request, nodeSelector: { use: "main" } }));
}
const strong = (name: string, memory: string, spec: JsonObject = {}) => service(name, memory, { isolation: "strong", ...spec });
/** A warm instance, and the hot one of its service on another node. */
const warmOf = (requests: readonly InstanceRequest[]): readonly InstanceRequest[] =>
  requests.flatMap((request) => [
    { ...request, level: "warm", instance: instanceName(`${request.service}-warm-1`) },
    { ...request, nodeSelector: { use: "twins" } },
  ]);

interface Stage {
  readonly nodes: readonly GpuNode[];
  wanted: readonly InstanceRequest[];
  known: readonly AnyPartition[];
  running: Map<InstanceName, string>;
  relocation: GpuRelocation | null;
  mayBegin: boolean;
  elapsedMs: number;
}

function worldOf({ nodes, wanted, known, running }: Stage): PartitionWorld {
  const seen = nodes.flatMap(({ name, gpus }) =>
    gpus.map(({ index }): SeenGpu => {
      const key = placeKey({ node: name, gpu: index });
      const holders = [...running].filter(([, at]) => at === key).map(([instance]) => ({ instance, usedBytes: 1e9 }));
      return { node: name, gpu: index, health: "ok", holders };
    }),
  );
  return { wanted, untouched: new Set(), known, nodes, seen, quarantined: [] };
}

const seenOf = ({ known, running }: Stage): readonly SeenPartition[] =>
  known.flatMap(({ node: at, gpu, mig, instance }) => {
    if (at === null) return [];
    const isReserve = instance.includes("-cold-");
    return [{ node: at, gpu, mig, instance, isRunning: isReserve || running.get(instance) === placeKey({ node: at, gpu }) }];
  });

/** One look of the controller, and what engines make of it. @param refusal what the driver says to this look. */
function look(
  stage: Stage,
  { refusal = null, isStuck = false }: { readonly refusal?: string | null; readonly isStuck?: boolean } = {},
): void {
  const { relocation } = stage;
  const move =
    relocation === null ? null : nextRelocation(relocation, { seen: seenOf(stage), elapsedMs: stage.elapsedMs, refusal, moot: null });
  if (relocation !== null && move !== null) {
    const status = { ...move.status, startedAt: "now", endedAt: move.isEnded ? "now" : null };
    stage.relocation = { ...relocation, status };
  }
  const world = { ...worldOf(stage), orders: move?.orders ?? NO_ORDERS };
  const plan = planPartitions(world);
  checkPlan(
    stage,
    plan.desired.map(({ partition }) => partition),
  );
  stage.known = plan.desired.map(({ partition }) => partition);
  for (const partition of stage.known) {
    if (partition.node === null || isStuck || partition.instance.includes("-cold-")) continue;
    if (partition.leaving !== null) stage.running.delete(partition.instance);
    else stage.running.set(partition.instance, placeKey(partition));
  }
  if (stage.relocation === null && stage.mayBegin) {
    const begun = planRelocation(world, plan);
    const journal =
      begun === null ? null : parseGpuRelocation({ name: begun.name, spec: gpuRelocationSpec({ ...begun, status: null }), status: null });
    if (journal !== null) {
      assert.ok(journal.ok, JSON.stringify(journal));
      assert.deepEqual(journal.value, { ...begun, status: null });
      stage.relocation = journal.value;
    }
  }
}

/** What may never be, whatever is on its way. */
function checkPlan({ running }: Stage, partitions: readonly AnyPartition[]): void {
  const placed = partitions.flatMap((partition) => (partition.node === null ? [] : [partition]));
  for (const [key, on] of Map.groupBy(placed, placeKey)) {
    assert.ok(isLegal(on.flatMap(({ mig }) => mig ?? [])), key);
    assert.equal(new Set(on.map(({ mode }) => mode)).size, 1, key);
    assert.ok(on.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) <= 80e9, key);
  }
  for (const [instance, at] of running) {
    const own = placed.find((partition) => partition.instance === instance);
    assert.equal(own === undefined ? "nowhere" : placeKey(own), at, `${instance} runs where it has nothing`);
  }
}

const stageOf = (nodes: readonly GpuNode[]): Stage => ({
  nodes: [...nodes, node("twins", 16, { use: "twins" })],
  wanted: [],
  known: [],
  running: new Map(),
  relocation: null,
  mayBegin: true,
  elapsedMs: 0,
});
/** Adds services one after the other, each placed and running before the next comes. */
function grow(stage: Stage, ...services: readonly (readonly InstanceRequest[])[]): void {
  for (const requests of services) {
    stage.wanted = [...stage.wanted, ...requests];
    look(stage);
  }
}
const at = ({ node: on, gpu, mig }: RelocationPlace): string => `${on}/${gpu}${mig === null ? "" : ` ${formatPlacement(mig)}`}`;
const placesOf = ({ known }: Stage): Record<string, string> =>
  Object.fromEntries(
    known
      .filter(({ node: on }) => on !== "twins")
      .map(({ instance, node: on, gpu, mig }) => [instance, on === null ? "nowhere" : at({ node: on, gpu, mig })]),
  );
const tell = ({ victims, place, cut }: GpuRelocation): string =>
  `${cut === null ? "moves" : "cuts"} ${victims.map((victim) => `${victim.instance} ${at(victim.from)} -> ${at(victim.to)}`).join(", ")}, for ${at(place)}`;

/** The service and its engines go. */
function leave(stage: Stage, ...services: readonly string[]): void {
  stage.wanted = stage.wanted.filter(({ service: of }) => !services.includes(of));
  for (const instance of stage.running.keys()) if (services.some((of) => instance.startsWith(`${of}-`))) stage.running.delete(instance);
  look(stage);
}
const begun = (stage: Stage): GpuRelocation | null => stage.relocation;
const told = (stage: Stage): string => {
  const relocation = begun(stage);
  return relocation === null ? "nobody moves" : tell(relocation);
};
/** Plays until it has ended. @returns its end. */
function finish(stage: Stage): string {
  for (let turn = 0; turn < 60 && begun(stage)?.status?.endedAt == null; turn += 1) look(stage);
  return begun(stage)?.status?.phase ?? "nothing was begun";
}

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
  const reserve = service("k", "30GB").map((request): InstanceRequest => ({
    ...request,
    level: "cold",
    instance: instanceName("k-cold-1"),
  }));
  grow(stage, warmOf(service("w", "20GB")), reserve, service("x", "60GB"));
  assert.deepEqual(placesOf(stage), { "w-warm-1": "n/0", "k-cold-1": "n/0", "x-hot-1": "n/1" });
  leave(stage, "x");
  grow(stage, service("y", "35GB"), service("z", "50GB"));
  assert.equal(told(stage), "moves k-cold-1 n/0 -> n/1, for n/0");
  assert.equal(finish(stage), "Completed");
});

test("where tenants must not meet, a card is not cut for another tenant, and a reserve leaves the card that another one then has", () => {
  const unsafe = { containerToolkit: "1.17.4" };
  const own = (name: string, memory: string) => strong(name, memory, { tenant: "t" });
  const cut = stageOf([node("n", 1, unsafe)]);
  grow(cut, own("a", "20GB"), own("b", "20GB"), warmOf(own("v", "20GB")));
  leave(cut, "a");
  assert.deepEqual(placesOf(cut), { "b-hot-1": "n/0 1g-double@4", "v-warm-1": "n/0 1g-double@2" });
  grow(cut, strong("wish", "40GB"));
  assert.equal(told(cut), "nobody moves");
  grow(cut, own("own", "40GB"));
  assert.equal(told(cut), "cuts v-warm-1 n/0 1g-double@2 -> n/0 1g-double@6, for n/0 3g@0");
  const stage = stageOf([node("n", 1, unsafe), node("o", 1)]);
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
const anyTenant = fc.record({
  memory: fc.constantFrom("10GB", "10GB", "20GB", "40GB"),
  isolation: fc.constantFrom("none", "strong", "strong"),
  isWarm: fc.constantFrom(true, true, false),
  leaves: fc.constantFrom(true, false, false),
});
const anyLuck = fc.array(fc.constantFrom("fine", "fine", "fine", "refused", "late", "stuck"), { maxLength: 12 });

test("what was begun is finished or taken back from any state in which it stops, and nothing is ever where something runs", () => {
  const ends = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(anyTenant, { minLength: 8, maxLength: 16 }), anyLuck, (list, luck) => {
      const stage = stageOf([node("m", 1), node("n", 2)]);
      stage.mayBegin = false;
      for (const [index, { memory, isolation, isWarm }] of list.entries()) {
        const requests = service(`s${index}`, memory, { isolation });
        grow(stage, isWarm ? warmOf(requests) : requests);
      }
      leave(stage, ...list.flatMap(({ leaves }, index) => (leaves ? [`s${index}`] : [])));
      // Who was refused before goes: one asks.
      const places = placesOf(stage);
      stage.wanted = stage.wanted.filter(({ instance }) => places[instance] !== "nowhere");
      stage.mayBegin = true;
      grow(stage, service("wish", "40GB", { isolation: "strong", ...WISH }));
      const relocation = begun(stage);
      if (relocation === null) return;
      for (const fate of luck) {
        if (fate === "late") stage.elapsedMs += relocation.budgetMs + 1;
        for (let times = fate === "refused" ? 3 : 1; times > 0; times -= 1)
          look(stage, { refusal: fate === "refused" ? "no" : null, isStuck: fate === "stuck" });
      }
      const end = finish(stage);
      ends.set(end, (ends.get(end) ?? 0) + 1);
      const now = placesOf(stage);
      if (end === "Completed") assert.equal(now[relocation.wish], at(relocation.place));
      for (const { instance } of relocation.victims) assert.notEqual(now[instance], "nowhere", `${instance} after ${end}`);
      assert.equal(begun(stage)?.status?.endedAt, "now", JSON.stringify(begun(stage)?.status));
    }),
    { numRuns: 400 },
  );
  assert.ok((ends.get("Completed") ?? 0) > 10 && (ends.get("RolledBack") ?? 0) > 5, JSON.stringify([...ends]));
});
