import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { instanceName, nodeName } from "../base/ids.ts";
import { ok } from "../base/result.ts";
import { NO_DIRT, type GpuDriver, type ObservedGpu } from "../ports/gpu-driver.ts";
import { createGpuWatch } from "./gpu-watch.ts";

const gpu = (more: Partial<ObservedGpu>): ObservedGpu => ({
  node: nodeName("gpu-a"),
  gpu: 0,
  health: "ok",
  memoryBytes: 80e9,
  holders: [],
  ...NO_DIRT,
  ...more,
});
const holder = (pid: number, state: "awake" | "gone") => ({ instance: instanceName("hot-1"), pid, usedBytes: 1e9, state, compute: null });

function watchOf() {
  const clock = createSimulatedClock();
  const seen: { gpus: readonly ObservedGpu[] } = { gpus: [] };
  const driver: GpuDriver = {
    observe: async () => ok(seen.gpus),
    ensureInventory: async () => ok(null),
    ensurePartition: async () => ok(null),
    removePartition: async () => ok(null),
  };
  return { clock, seen, watch: createGpuWatch({ driver, clock }) };
}

test("a GPU that needs a reset is as good as lost", async () => {
  const { seen, watch } = watchOf();
  seen.gpus = [gpu({ health: "needs-reset" }), gpu({ gpu: 1, health: "lost" }), gpu({ gpu: 2 })];
  assert.deepEqual([...((await watch.troubled())?.lost ?? [])], ["gpu-a/0", "gpu-a/1"]);
});

test("a GPU is slow once a dead process has held it for longer than a driver takes, and no more when it is freed", async () => {
  const { clock, seen, watch } = watchOf();
  const slow = async (): Promise<readonly string[]> => [...((await watch.troubled())?.slow ?? [])];
  seen.gpus = [gpu({ holders: [holder(1, "gone"), holder(9, "awake")] })];
  assert.deepEqual(await slow(), []);
  await clock.advance(299);
  assert.deepEqual(await slow(), []);
  await clock.advance(1);
  assert.deepEqual(await slow(), ["gpu-a/0"]);
  seen.gpus = [gpu({ holders: [holder(2, "gone"), holder(9, "awake")] })];
  assert.deepEqual(await slow(), []);
  await clock.advance(300);
  assert.deepEqual(await slow(), ["gpu-a/0"]);
  seen.gpus = [gpu({ holders: [holder(9, "awake")] })];
  assert.deepEqual(await slow(), []);
});

test("what is wrong is followed as GPUs change, come and go", async () => {
  const { seen, watch } = watchOf();
  const lost = async (): Promise<readonly string[]> => [...((await watch.troubled())?.lost ?? [])];
  const [first, second, third] = [gpu({}), gpu({ gpu: 1, health: "lost" }), gpu({ gpu: 2 })];
  seen.gpus = [first, second, third];
  assert.deepEqual(await lost(), ["gpu-a/1"]);
  seen.gpus = [first, second, gpu({ gpu: 2, health: "lost" })];
  assert.deepEqual(await lost(), ["gpu-a/1", "gpu-a/2"]);
  seen.gpus = [first, gpu({ gpu: 1 }), third];
  assert.deepEqual(await lost(), []);
  seen.gpus = [second, third];
  assert.deepEqual(await lost(), ["gpu-a/1"]);
  seen.gpus = [third, second];
  assert.deepEqual(await lost(), ["gpu-a/1"]);
  seen.gpus = [];
  assert.deepEqual(await lost(), []);
});
