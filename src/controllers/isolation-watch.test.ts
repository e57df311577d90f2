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
