import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createMemoryEventLog } from "../adapters/event-log/memory.ts";
import { instanceName, nodeName, serviceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { err, ok } from "../base/result.ts";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { parseGpuPartition } from "../api/parse-gpu-partition.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import type { Kind } from "../api/resource.ts";
import { planPartitions } from "../placement/plan-partitions.ts";
import { requestsOf } from "../placement/requests-of.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import { NO_DIRT, type GpuDriver, type ObservedGpu } from "../ports/gpu-driver.ts";
import { createPartitionPlanner, reconcilePartitions } from "./partition-controller.ts";

interface FakeDriver extends GpuDriver {
  /** Partition name -> `node/gpu bytes`. */
  readonly bound: Map<string, string>;
  readonly holders: Map<string, string>;
  readonly lost: Set<string>;
  /** Partitions in which a process runs that does not go. */
  readonly stuck: Set<string>;
  /** Happens right before a partition is removed. */
  beforeRemoval: () => void;
  isAway: boolean;
}

function createFakeDriver(): FakeDriver {
  let gpus: readonly Pick<ObservedGpu, "node" | "gpu" | "memoryBytes">[] = [];
  const away = err({ code: "DRIVER_UNAVAILABLE", reason: "away" } as const);
  const driver: FakeDriver = {
    bound: new Map(),
    holders: new Map(),
    lost: new Set(),
    stuck: new Set(),
    beforeRemoval: () => undefined,
    isAway: false,
    ensureInventory(nodes) {
      gpus = nodes.flatMap((node) => node.gpus.map(({ index, memoryBytes }) => ({ node: node.name, gpu: index, memoryBytes })));
      return Promise.resolve(driver.isAway ? away : ok(null));
    },
    observe() {
      const seen = gpus.map((gpu): ObservedGpu => {
        const place = `${gpu.node}/${gpu.gpu}`;
        const instances = [...driver.holders].filter(([, at]) => at === place).map(([instance]) => instanceName(instance));
        const holders = instances.map((instance) => ({ instance, pid: 1, usedBytes: 1e9, state: "awake" as const, compute: null }));
        return { ...gpu, health: driver.lost.has(place) ? "lost" : "ok", holders, ...NO_DIRT };
      });
      return Promise.resolve(driver.isAway ? away : ok(seen));
    },
    ensurePartition(partition) {
      if (driver.isAway) return Promise.resolve(away);
      driver.bound.set(partition.name, `${partition.node}/${partition.gpu} ${partition.memoryBytes / 1e9}GB`);
      return Promise.resolve(ok(null));
    },
    removePartition({ name }) {
      if (driver.isAway) return Promise.resolve(away);
      driver.beforeRemoval();
      if (driver.stuck.has(name)) return Promise.resolve(err({ code: "IN_USE", reason: "process 1 runs in it" } as const));
      driver.bound.delete(name);
      return Promise.resolve(ok(null));
    },
  };
  return driver;
}

function createRig() {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const driver = createFakeDriver();
  const ports = { store, driver, clock, log: createMemoryEventLog() };
  const planner = createPartitionPlanner();
  return { store, driver, ports, look: () => reconcilePartitions(ports, planner) };
}

async function put(store: ClusterStore, kind: Kind, of: { readonly name: string; readonly spec: JsonObject }): Promise<void> {
  const current = await store.get(kind, of.name);
  const draft = { kind, labels: {}, annotations: {}, ...of };
  const written = current.ok ? await store.writeSpec(draft, current.value.version) : await store.create(draft);
  assert.ok(written.ok, JSON.stringify(written));
}
const putNode = (store: ClusterStore, name: string, count: number) =>
  put(store, "GPUNode", { name, spec: { gpus: [{ model: "H100-80GB", count }] } });
const putGold = (store: ClusterStore, spec: JsonObject = {}) =>
  put(store, "HotStandbyConfig", { name: "g", spec: { tenant: "t", tier: "gold", coldStandby: { gpuCount: 0 }, ...spec } });

/** `name phase node/gpu bytes`, or the refusal's code. */
async function partitionsOf(store: ClusterStore): Promise<readonly string[]> {
  const listed = await store.list("GPUPartition");
  assert.ok(listed.ok);
  return listed.value.items
    .map((resource) => {
      const read = parseGpuPartition(resource);
      assert.ok(read.ok, JSON.stringify(read));
      const { name, phase, node, gpu, memoryBytes } = read.value;
      return node === null ? `${name} ${read.value.refusal.code}` : `${name} ${phase} ${node}/${gpu} ${memoryBytes / 1e9}GB`;
    })
    .toSorted();
}

async function quarantine(store: ClusterStore, gpu: number): Promise<void> {
  const current = await store.get("HotStandbyConfig", "g");
  assert.ok(current.ok);
  const status = {
    phase: "Normal",
    level: "hot",
    epoch: 0,
    revision: 0,
    observedGeneration: 1,
    instances: [],
    failovers: { inWindow: 0, max: 3, windowStart: null },
    rto: { targetMs: 15_000, lastMs: null, worstMs: null },
    knownAnswer: null,
    knownAnswerOf: null,
    quarantined: [{ node: nodeName("a"), gpu, reason: "FailedStarts", since: "2026-01-01T00:00:00.000Z" }],
    history: [],
    conditions: [],
  };
  assert.ok((await store.writeStatus({ kind: "HotStandbyConfig", name: "g" }, status, current.value.version)).ok);
}

const GOLD_ON_TWO = ["t-gpu-partition-g-hot-1-1 Bound a/0 20GB", "t-gpu-partition-g-warm-1-1 Bound a/1 20GB"];

test("a config and a node become bound partitions with names of tenant and instance", async () => {
  const { store, driver, look } = createRig();
  await putNode(store, "a", 2);
  await putGold(store);
  assert.deepEqual(await look(), { afterMs: 5_000 });
  assert.deepEqual(await partitionsOf(store), GOLD_ON_TWO);
  assert.deepEqual([...driver.bound.values()], ["a/0 20GB", "a/1 20GB"]);
});

test("a second look at a settled fleet writes nothing", async () => {
  const { store, look } = createRig();
  await putNode(store, "a", 2);
  await putGold(store);
  await look();
  const changes: string[] = [];
  store.watch(({ kind, name }) => void changes.push(`${kind}/${name}`));
  const before = await store.list("GPUPartition");
  await look();
  assert.deepEqual(await store.list("GPUPartition"), before);
  assert.deepEqual(changes, []);
});

test("an instance without room is Pending with its refusal and is placed when a node comes", async () => {
  const { store, look } = createRig();
  await putNode(store, "a", 1);
  await putGold(store);
  assert.deepEqual(await look(), { afterMs: 250 });
  assert.deepEqual(await partitionsOf(store), ["t-gpu-partition-g-hot-1-1 Bound a/0 20GB", "t-gpu-partition-g-warm-1-1 NO_CAPACITY"]);
  await putNode(store, "b", 1);
  await look();
  assert.deepEqual((await partitionsOf(store))[1], "t-gpu-partition-g-warm-1-1 Bound b/0 20GB");
});

test("a partition on a quarantined GPU moves, the others stay", async () => {
  const { store, driver, look } = createRig();
  await putNode(store, "a", 3);
  await putGold(store);
  await look();
  await quarantine(store, 0);
  await look();
  assert.deepEqual(await partitionsOf(store), ["t-gpu-partition-g-hot-1-1 Bound a/2 20GB", GOLD_ON_TWO[1]]);
  assert.equal(driver.bound.get("t-gpu-partition-g-hot-1-1"), "a/2 20GB");
});

test("a better place that appears later moves nobody", async () => {
  const { store, look } = createRig();
  await putNode(store, "a", 2);
  await putGold(store);
  await look();
  await putNode(store, "b", 4);
  await look();
  assert.deepEqual(await partitionsOf(store), GOLD_ON_TWO);
});

test("a partition of a deleted service is Releasing while a process holds it, then gone", async () => {
  const { store, driver, look } = createRig();
  await putNode(store, "a", 2);
  await putGold(store);
  await look();
  driver.holders.set("g-hot-1", "a/0");
  assert.ok((await store.remove("HotStandbyConfig", "g")).ok);
  assert.deepEqual(await look(), { afterMs: 250 });
  assert.deepEqual(await partitionsOf(store), ["t-gpu-partition-g-hot-1-1 Releasing a/0 20GB"]);
  driver.holders.clear();
  await look();
  assert.deepEqual(await partitionsOf(store), []);
  assert.equal(driver.bound.size, 0);
});

test("a GPU on which a process of the past still holds bytes is not promised alone", async () => {
  const { store, driver, look } = createRig();
  await putNode(store, "a", 2);
  driver.holders.set("old-hot-1", "a/0");
  await putGold(store, { warmStandby: { gpuCount: 0 } });
  await look();
  assert.deepEqual(await partitionsOf(store), ["t-gpu-partition-g-hot-1-1 Bound a/1 20GB"]);
});

test("more bytes for a running instance are given where it stands", async () => {
  const { store, driver, look } = createRig();
  await putNode(store, "a", 2);
  await putGold(store);
  await look();
  driver.holders.set("g-hot-1", "a/0");
  await putGold(store, { hotStandby: { memoryReserved: "60GB" } });
  await look();
  assert.deepEqual(await partitionsOf(store), ["t-gpu-partition-g-hot-1-1 Bound a/0 60GB", GOLD_ON_TWO[1]]);
});

test("a running instance that the new selector would not allow keeps its place until it ends", async () => {
  const { store, driver, look } = createRig();
  await putNode(store, "a", 2);
  await putGold(store);
  await look();
  driver.holders.set("g-hot-1", "a/0");
  await putGold(store, { hotStandby: { nodeSelector: { disk: "fast" } } });
  await look();
  assert.deepEqual(await partitionsOf(store), GOLD_ON_TWO);
  driver.holders.clear();
  await look();
  assert.deepEqual((await partitionsOf(store))[0], "t-gpu-partition-g-hot-1-1 NO_MATCHING_NODE");
});

test("while the driver is away nothing is taken, and what is new stays Pending", async () => {
  const { store, driver, look } = createRig();
  await putNode(store, "a", 2);
  await putGold(store, { warmStandby: { gpuCount: 0 } });
  await look();
  driver.isAway = true;
  await putGold(store);
  assert.deepEqual(await look(), { afterMs: 250 });
  assert.deepEqual((await partitionsOf(store))[1], "t-gpu-partition-g-warm-1-1 Pending a/1 20GB");
  assert.ok((await store.remove("HotStandbyConfig", "g")).ok);
  await look();
  assert.equal((await partitionsOf(store)).length, 2);
  driver.isAway = false;
  await look();
  assert.deepEqual(await partitionsOf(store), []);
});

test("a lost GPU loses its cold reserve to another GPU at once", async () => {
  const { store, driver, look } = createRig();
  await putNode(store, "a", 4);
  await putGold(store, { coldStandby: { memoryReserved: "20GB" } });
  await look();
  assert.deepEqual((await partitionsOf(store))[0], "t-gpu-partition-g-cold-1-1 Bound a/2 20GB");
  driver.lost.add("a/2");
  await look();
  assert.deepEqual((await partitionsOf(store))[0], "t-gpu-partition-g-cold-1-1 Bound a/3 20GB");
});

test("a config that cannot be read any more keeps what it has", async () => {
  const { store, look } = createRig();
  await putNode(store, "a", 2);
  await putGold(store);
  await look();
  await putGold(store, { fieldOfAnotherVersion: 1 });
  await look();
  assert.deepEqual(await partitionsOf(store), GOLD_ON_TWO);
});

test("a crash after any write is finished by the next look", async () => {
  for (let writesLeft = 0; writesLeft < 8; writesLeft += 1) {
    const { store, driver, ports, look } = createRig();
    await putNode(store, "a", 3);
    await putGold(store);
    let budget = writesLeft;
    const spend = (): void => {
      if (budget === 0) throw new Error("crash");
      budget -= 1;
    };
    const crashing: ClusterStore = {
      ...store,
      get: (kind, name) => store.get(kind, name),
      list: (kind) => store.list(kind),
      applyAll: (changes) => (spend(), store.applyAll(changes)),
      writeStatus: (of, status, version) => (spend(), store.writeStatus(of, status, version)),
    };
    const crashingDriver: GpuDriver = {
      ...driver,
      ensurePartition: (partition) => (spend(), driver.ensurePartition(partition)),
    };
    await reconcilePartitions({ ...ports, store: crashing, driver: crashingDriver }).catch((cause: unknown) =>
      assert.match(String(cause), /crash/),
    );
    await look();
    assert.deepEqual(await partitionsOf(store), GOLD_ON_TWO, `after ${writesLeft} writes`);
    assert.deepEqual([...driver.bound.values()].toSorted(), ["a/0 20GB", "a/1 20GB"]);
  }
});

test("a planner plans an equal world once, and anew when any part of it is another", () => {
  const planOf = createPartitionPlanner();
  const read = parseGpuNode({ name: "a", labels: {}, spec: { gpus: [{ model: "H100-80GB", count: 1 }] } });
  const config = parseHotStandbyConfig({ name: "g", spec: { tenant: "t", tier: "silver" } });
  assert.ok(read.ok && config.ok);
  const seen = [{ node: nodeName("a"), gpu: 0, health: "ok" as const, holders: [] }];
  const world = { wanted: requestsOf(config.value), untouched: new Set<never>(), known: [], nodes: [read.value], seen, quarantined: [] };
  const plan = planOf(world);
  assert.ok(plan.desired.some(({ partition }) => partition.node === "a"));
  assert.equal(planOf(structuredClone(world)), plan);
  const known = plan.desired.map(({ partition }) => partition);
  const others = [
    { wanted: [] },
    { untouched: new Set([serviceName("h")]) },
    { known },
    { nodes: [] },
    { seen: null },
    { seen: seen.map((gpu) => ({ ...gpu, health: "lost" as const })) },
    { quarantined: [{ node: nodeName("a"), gpu: 0, service: serviceName("g") }] },
  ];
  for (const other of others) {
    const changed = { ...world, ...other };
    const before = planOf(world);
    assert.notEqual(planOf(changed), before);
    assert.deepEqual(planOf(changed), planPartitions(changed));
  }
});

test("a partition that cannot go since a process runs in it holds up nobody else, and goes when that ends", async () => {
  const { store, driver, look } = createRig();
  await putNode(store, "a", 4);
  await putGold(store);
  await look();
  const hot = [...driver.bound.keys()].find((name) => name.includes("-hot-"));
  assert.ok(hot !== undefined);
  driver.stuck.add(hot);
  assert.ok((await store.remove("HotStandbyConfig", "g")).ok);
  await put(store, "HotStandbyConfig", { name: "s", spec: { tenant: "t", tier: "silver" } });
  assert.deepEqual(await look(), { afterMs: 250 });
  assert.deepEqual([...driver.bound.keys()].map((name) => name.replace(/^t-gpu-partition-/, "")).toSorted(), ["g-hot-1-1", "s-hot-1-1"]);
  driver.stuck.clear();
  await look();
  assert.deepEqual([...driver.bound.keys()], ["t-gpu-partition-s-hot-1-1"]);
});

test("bytes that a start got between the look and the giving back keep its GPU from the next one", async () => {
  const { store, driver, look } = createRig();
  await putNode(store, "a", 1);
  await putGold(store, { warmStandby: { gpuCount: 0 } });
  await look();
  assert.ok((await store.remove("HotStandbyConfig", "g")).ok);
  await put(store, "HotStandbyConfig", {
    name: "h",
    spec: { tenant: "t", tier: "gold", warmStandby: { gpuCount: 0 }, coldStandby: { gpuCount: 0 } },
  });
  driver.beforeRemoval = () => void driver.holders.set("g-hot-1", "a/0");
  assert.deepEqual(await look(), { afterMs: 250 });
  assert.deepEqual([...driver.bound.keys()], []);
  driver.beforeRemoval = () => undefined;
  await look();
  assert.deepEqual([...driver.bound.keys()], [], "it is still there");
  driver.holders.clear();
  await look();
  assert.deepEqual([...driver.bound.keys()], ["t-gpu-partition-h-hot-1-1"]);
});
