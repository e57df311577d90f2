import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createMemoryEventLog } from "../adapters/event-log/memory.ts";
import type { PartitionMode } from "../api/gpu-partition.ts";
import { instanceName, nodeName } from "../base/ids.ts";
import { err, ok } from "../base/result.ts";
import { NO_DIRT, type GpuDriver, type ObservedGpu } from "../ports/gpu-driver.ts";
import { createIsolationWatch } from "./isolation-watch.ts";

const NAME = instanceName("bronze-hot-1");
const AWAY = err({ code: "DRIVER_UNAVAILABLE", reason: "away" } as const);

async function createRig(mode: PartitionMode = "mps") {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const log = createMemoryEventLog();
  const spec = { tenant: "tenant-b", service: "bronze", instance: NAME, mode, node: "gpu-a", gpu: 0, memory: "10GB", computePercent: 20 };
  const made = await store.create({
    kind: "GPUPartition",
    name: "tenant-b-gpu-partition-bronze-hot-1-1",
    labels: {},
    annotations: {},
    spec,
  });
  assert.ok(made.ok);
  assert.ok((await store.writeStatus(made.value, { phase: "Bound" }, made.value.version)).ok);
  const state: { pid: number | null; isAway: boolean; grantedMs: number; usedMs: number; asked: number } = {
    pid: 7,
    isAway: false,
    grantedMs: 0,
    usedMs: 0,
    asked: 0,
  };
  const driver: Pick<GpuDriver, "observe"> = {
    async observe() {
      state.asked += 1;
      if (state.isAway) return AWAY;
      const { pid, grantedMs, usedMs } = state;
      const holders =
        pid === null ? [] : [{ instance: NAME, pid, usedBytes: 1e9, state: "awake" as const, compute: { grantedMs, usedMs } }];
      const gpu: ObservedGpu = { node: nodeName("gpu-a"), gpu: 0, health: "ok", memoryBytes: 80e9, holders, ...NO_DIRT };
      return ok([gpu]);
    },
  };
  const kicks: string[] = [];
  const watch = createIsolationWatch({ store, driver, clock, log }, (instance) => kicks.push(instance));
  /** So long it takes so much of the card, of which a fifth is its own. */
  const work = async (forMs: number, usedRatio: number): Promise<void> => {
    for (let passed = 0; passed < forMs; passed += 250) {
      await clock.advance(250);
      state.grantedMs += 50;
      state.usedMs += 250 * usedRatio;
      await watch.look();
    }
  };
  return { watch, state, log, kicks, work };
}

test("isolation watch: who takes more is told of once, with whose it is and both figures, and its service is looked at", async () => {
  const { watch, kicks, log, work } = await createRig();
  await work(3_000, 1);
  assert.deepEqual(kicks, [NAME]);
  assert.deepEqual(
    log.events.map(({ event, fields }) => [event, fields]),
    [
      [
        "isolation.violation",
        { instance: NAME, tenant: "tenant-b", service: "bronze", pid: 7, node: "gpu-a", gpu: 0, what: "compute", granted: 150, used: 750 },
      ],
    ],
  );
  assert.match(watch.violationOf(NAME)?.what ?? "", /it took 750 ms/);
  assert.deepEqual(watch.counts(), [{ tenant: "tenant-b", service: "bronze", instance: NAME, what: "compute", count: 1 }]);
});

test("isolation watch: what was found stands until the process is gone, though it stops; the next process begins anew", async () => {
  const { watch, state, work } = await createRig();
  await work(1_500, 1);
  await work(3_000, 0.2);
  assert.equal(watch.violationOf(NAME)?.pid, 7);
  state.pid = null;
  await work(250, 0);
  assert.equal(watch.violationOf(NAME), null);
  state.pid = 8;
  await work(1_500, 1);
  assert.equal(watch.violationOf(NAME)?.pid, 8);
  assert.equal(watch.counts()[0]?.count, 2);
});

test("isolation watch: with the driver away nobody is accused, and it is asked again", async () => {
  const { watch, state, kicks, work } = await createRig();
  state.isAway = true;
  await work(3_000, 1);
  assert.deepEqual([kicks, watch.violationOf(NAME), (await watch.look())?.afterMs], [[], null, 250]);
});

test("isolation watch: where nothing is shared the driver is not asked", async () => {
  const { watch, state } = await createRig("exclusive");
  assert.equal(await watch.look(), null);
  assert.equal(state.asked, 0);
});

/** One partition on each of so many GPUs of one node. @returns with every look that was asked for, as places. */
async function createFleet(count: number, modeOf: (gpu: number) => PartitionMode) {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const nameOf = (gpu: number) => instanceName(`s${gpu}-hot-1`);
  for (let gpu = 0; gpu < count; gpu += 1) {
    const spec = {
      tenant: "t",
      service: `s${gpu}`,
      instance: nameOf(gpu),
      mode: modeOf(gpu),
      node: "gpu-a",
      gpu,
      memory: "10GB",
      computePercent: 20,
    };
    const mig = modeOf(gpu) === "mig" ? { mig: { profile: "1g", start: 6 } } : {};
    const draft = {
      kind: "GPUPartition",
      name: `t-gpu-partition-s${gpu}-hot-1-1`,
      labels: {},
      annotations: {},
      spec: { ...spec, ...mig },
    } as const;
    const made = await store.create(draft);
    assert.ok(made.ok && (await store.writeStatus(made.value, { phase: "Bound" }, made.value.version)).ok);
  }
  const looks: (readonly number[])[] = [];
  const takers = new Set<number>();
  const driver: Pick<GpuDriver, "observe"> = {
    async observe(only = []) {
      looks.push(only.map(({ gpu }) => gpu));
      const usedMs = clock.monotonicMs();
      return ok(
        only.map(({ node, gpu }): ObservedGpu => {
          const compute = { grantedMs: usedMs / 5, usedMs: takers.has(gpu) ? usedMs : usedMs / 5 };
          const holder = { instance: nameOf(gpu), pid: gpu + 1, usedBytes: 1e9, state: "awake", compute } as const;
          return { node, gpu, health: "ok", memoryBytes: 80e9, holders: [holder], ...NO_DIRT };
        }),
      );
    },
  };
  const kicks: { readonly instance: string; readonly atMs: number }[] = [];
  const watch = createIsolationWatch({ store, driver, clock, log: createMemoryEventLog() }, (instance) =>
    kicks.push({ instance, atMs: clock.monotonicMs() }),
  );
  const look = async (times: number): Promise<void> => {
    for (let at = 0; at < times; at += 1) {
      await clock.advance(250);
      await watch.look();
    }
  };
  return { watch, looks, kicks, takers, look };
}

test("isolation watch: the driver is asked of GPUs that are cut softly alone", async () => {
  const modes = ["exclusive", "mps", "mig", "vgpu", "time-slicing"] as const;
  const { looks, look } = await createFleet(modes.length, (gpu) => modes[gpu] ?? "mps");
  await look(1);
  assert.deepEqual(looks, [[1, 3, 4]]);
});

test("isolation watch: of more than fit into one look all take turns, each taker is found, and is in each look until it is gone", async () => {
  const { watch, looks, kicks, takers, look } = await createFleet(600, () => "mps");
  takers.add(0).add(599);
  await look(12);
  assert.equal(watch.everyMs(), 750);
  assert.ok(looks.every((gpus) => gpus.length === 256));
  assert.equal(new Set(looks.slice(0, 3).flat()).size, 600);
  assert.deepEqual(kicks.map(({ instance }) => instance).toSorted(), ["s0-hot-1", "s599-hot-1"]);
  // A first look and a second one, which are as far apart as all take.
  assert.ok(kicks.every(({ atMs }) => atMs <= 250 + 2 * watch.everyMs()));
  assert.ok(looks.slice(-4).every((gpus) => gpus.includes(0) && gpus.includes(599)));
});
