import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createMemoryEventLog } from "../adapters/event-log/memory.ts";
import { instanceName, nodeName } from "../base/ids.ts";
import type { JsonValue } from "../base/json.ts";
import { err, ok } from "../base/result.ts";
import type { ResourceDraft } from "../api/resource.ts";
import { NO_DIRT, type GpuDriver, type ObservedGpu } from "../ports/gpu-driver.ts";
import { listAll } from "./observe-service.ts";
import { reconcilePartitions } from "./partition-controller.ts";

const NODE: ResourceDraft = {
  kind: "GPUNode",
  name: "a",
  labels: {},
  annotations: {},
  spec: { gpus: [{ model: "H100-80GB" }, { model: "H100-80GB", modes: ["mig"] }] },
};
const GOLD: ResourceDraft = {
  ...NODE,
  kind: "HotStandbyConfig",
  name: "g",
  spec: { tenant: "t", tier: "gold", isolation: "strong", coldStandby: { gpuCount: 0 } },
};

function createRig() {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const can = { bind: false, isHeld: false };
  const done = () => Promise.resolve(ok(null));
  const gpu = (index: number, instance: string): ObservedGpu => {
    const holder = { instance: instanceName(instance), pid: 1, usedBytes: 1e9, state: "awake", compute: null } as const;
    return { node: nodeName("a"), gpu: index, health: "ok", memoryBytes: 80e9, holders: can.isHeld ? [holder] : [], ...NO_DIRT };
  };
  const driver: GpuDriver = {
    observe: () => Promise.resolve(ok([gpu(0, "g-hot-1"), gpu(1, "g-warm-1")])),
    ensureInventory: done,
    ensurePartition: () => (can.bind ? done() : Promise.resolve(err({ code: "DRIVER_UNAVAILABLE", reason: "away" } as const))),
    removePartition: done,
  };
  return { store, can, look: () => reconcilePartitions({ store, driver, clock, log: createMemoryEventLog() }) };
}

test("a bound partition says how it is realised, also while it is given back, and one that is not bound says nothing of it", async () => {
  const { store, can, look } = createRig();
  for (const draft of [NODE, GOLD]) assert.ok((await store.create(draft)).ok);
  const realised = async (): Promise<readonly JsonValue[]> =>
    (await listAll(store, "GPUPartition")).map(({ status }) => status?.["realisedAs"] ?? null);
  await look();
  assert.deepEqual(await realised(), [null, null]);
  can.bind = true;
  await look();
  const expected = [
    {
      environment: { CUDA_DEVICE_ORDER: "PCI_BUS_ID", CUDA_VISIBLE_DEVICES: "0" },
      memoryKeptBy: "hardware",
      computeKeptBy: "hardware",
      limits: "one instance a GPU",
      needs: null,
    },
    {
      environment: { CUDA_DEVICE_ORDER: "PCI_BUS_ID", CUDA_VISIBLE_DEVICES: "" },
      migDevice: {
        resource: "nvidia.com/mig-1g.20gb",
        draDevice: "gpu-1-mig-1g20gb-15-6",
        giProfileId: 15,
        placement: { start: 6, size: 2 },
      },
      memoryKeptBy: "hardware",
      computeKeptBy: "hardware",
      limits: "fixed profiles at legal starts; never together with MPS in the device plugin",
      needs:
        "the MIG instance; its uuid, which the driver gives it, goes into CUDA_VISIBLE_DEVICES, and until then no GPU is visible rather than a neighbour's",
    },
  ];
  assert.deepEqual(await realised(), expected);
  can.isHeld = true;
  assert.ok((await store.remove("HotStandbyConfig", "g")).ok);
  await look();
  const phases = (await listAll(store, "GPUPartition")).map(({ status }) => status?.["phase"]);
  assert.deepEqual([phases, await realised()], [["Releasing", "Releasing"], expected]);
});

test("what is realised as before is not written again", async () => {
  const { store, can, look } = createRig();
  for (const draft of [NODE, GOLD]) assert.ok((await store.create(draft)).ok);
  can.bind = true;
  await look();
  const before = (await listAll(store, "GPUPartition")).map(({ version }) => version);
  await look();
  assert.deepEqual(
    (await listAll(store, "GPUPartition")).map(({ version }) => version),
    before,
  );
});
