import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { instanceName, nodeName, serviceName } from "../base/ids.ts";
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

type Place = Pick<ObservedGpu, "node" | "gpu">;
const at = (index: number): Place => ({ node: nodeName("gpu-a"), gpu: index });
const SERVICE = serviceName("s");

function watchOf() {
  const clock = createSimulatedClock();
  const seen: { gpus: readonly ObservedGpu[]; gate: Promise<void>; readonly asked: (readonly Place[])[] } = {
    gpus: [],
    gate: Promise.resolve(),
    asked: [],
  };
  const driver: GpuDriver = {
    async observe(only = []) {
      seen.asked.push(only);
      const shown = seen.gpus.filter((gpu) => only.some(({ node, gpu: index }) => node === gpu.node && index === gpu.gpu));
      await seen.gate;
      return ok(shown);
    },
    ensureInventory: async () => ok(null),
    ensurePartition: async () => ok(null),
    removePartition: async () => ok(null),
  };
  const watch = createGpuWatch({ driver, clock });
  // As looks do: who stands as before asks with the same list.
  const lists = new Map<string, readonly Place[]>();
  const ask = (...indexes: readonly number[]) => {
    const places = lists.get(indexes.join()) ?? indexes.map(at);
    lists.set(indexes.join(), places);
    return watch.troubled(SERVICE, places);
  };
  return { clock, seen, watch, ask };
}

test("a GPU that needs a reset is as good as lost, and nothing is said of GPUs that nobody asked about", async () => {
  const { seen, ask } = watchOf();
  seen.gpus = [gpu({ health: "needs-reset" }), gpu({ gpu: 1, health: "lost" }), gpu({ gpu: 2 }), gpu({ gpu: 3, health: "lost" })];
  assert.deepEqual([...((await ask(0, 1, 2, 2))?.lost ?? [])], ["gpu-a/0", "gpu-a/1"]);
  assert.deepEqual(seen.asked, [[at(0), at(1), at(2)]]);
  seen.gpus = [gpu({}), gpu({ gpu: 1, health: "lost" })];
  assert.deepEqual([...((await ask(0, 1))?.lost ?? [])], ["gpu-a/1"]);
});

test("who stands nowhere asks nothing", async () => {
  const { seen, ask } = watchOf();
  assert.deepEqual([await ask(), seen.asked], [{ lost: new Set(), slow: new Set() }, []]);
});

test("a GPU is slow once a dead process has held it for longer than a driver takes, and no more when it is freed", async () => {
  const { clock, seen, ask } = watchOf();
  const slow = async (): Promise<readonly string[]> => [...((await ask(0))?.slow ?? [])];
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

test("a driver that does not answer is waited for no longer than a look may wait, and is asked once for each service meanwhile", async () => {
  const { clock, seen, watch, ask } = watchOf();
  const { promise, resolve } = Promise.withResolvers<void>();
  seen.gate = promise;
  seen.gpus = [gpu({ health: "lost" }), gpu({ gpu: 1, health: "lost" })];
  const first = ask(0, 1);
  await clock.advance(200);
  assert.equal(await first, null);
  const second = ask(1);
  // What is on its way says nothing of this one.
  assert.equal(await ask(2), null);
  const other = watch.troubled(serviceName("t"), [at(1)]);
  assert.deepEqual(seen.asked, [[at(0), at(1)], [at(1)]]);
  resolve();
  assert.deepEqual([...((await second)?.lost ?? [])], ["gpu-a/0", "gpu-a/1"]);
  assert.deepEqual([...((await other)?.lost ?? [])], ["gpu-a/1"]);
  assert.deepEqual([...((await ask(2))?.lost ?? ["none"])], []);
});
