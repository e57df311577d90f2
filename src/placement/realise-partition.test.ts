import assert from "node:assert/strict";
import { test } from "node:test";
import { GB, MiB } from "../base/bytes.ts";
import { PARTITION_MODE_NAMES, type GpuPartition } from "../api/gpu-partition.ts";
import { engineEnvironment, realisedJson, realisePartition } from "./realise-partition.ts";

type Share = Parameters<typeof engineEnvironment>[0][number];
const shareOf = (mode: GpuPartition["mode"], more: Partial<Share> = {}): Share => ({
  gpu: 1,
  mode,
  mig: mode === "mig" ? { profile: "3g", start: 4 } : null,
  memoryBytes: 20 * GB,
  computePercent: 50,
  ...more,
});
const visible = (devices: string) => ({ CUDA_DEVICE_ORDER: "PCI_BUS_ID", CUDA_VISIBLE_DEVICES: devices });

const environments: readonly {
  readonly name: string;
  readonly shares: readonly Share[];
  readonly expected: Readonly<Record<string, string>>;
}[] = [
  { name: "a whole card is seen, and nothing is limited", shares: [shareOf("exclusive")], expected: visible("1") },
  { name: "a turn on a card is seen, and nothing is limited", shares: [shareOf("time-slicing")], expected: visible("1") },
  { name: "a MIG instance is not its card's index, and takes no setting of MPS", shares: [shareOf("mig")], expected: visible("") },
  {
    name: "MPS limits whole MiB of the first visible device, and the share of threads",
    shares: [shareOf("mps")],
    expected: { ...visible("1"), CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: "50", CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: "0=19073M" },
  },
  {
    name: "vGPU limits whole MiB of the first visible device, and the cores while others want them",
    shares: [shareOf("vgpu")],
    expected: {
      ...visible("1"),
      CUDA_DEVICE_MEMORY_LIMIT_0: "19073m",
      CUDA_DEVICE_SM_LIMIT: "50",
      GPU_CORE_UTILIZATION_POLICY: "default",
    },
  },
  {
    name: "a sliver is never rounded to no limit",
    shares: [shareOf("vgpu", { memoryBytes: MiB - 1, computePercent: 1 })],
    expected: { ...visible("1"), CUDA_DEVICE_MEMORY_LIMIT_0: "1m", CUDA_DEVICE_SM_LIMIT: "1", GPU_CORE_UTILIZATION_POLICY: "default" },
  },
  {
    name: "several whole cards are seen in the order of their indexes",
    shares: [shareOf("exclusive", { gpu: 3 }), shareOf("exclusive", { gpu: 0 })],
    expected: visible("0,3"),
  },
  {
    name: "limits of several devices stand in the order in which the process counts them, with the least share of threads",
    shares: [shareOf("mps", { gpu: 3, memoryBytes: 2 * MiB, computePercent: 20 }), shareOf("mps", { gpu: 2, memoryBytes: 5 * MiB })],
    expected: { ...visible("2,3"), CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: "20", CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: "0=5M,1=2M" },
  },
  {
    name: "of devices in two modes each has its own limit",
    shares: [shareOf("mps", { gpu: 0 }), shareOf("vgpu", { gpu: 5, memoryBytes: 7 * MiB })],
    expected: {
      ...visible("0,5"),
      CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: "50",
      CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: "0=19073M",
      CUDA_DEVICE_MEMORY_LIMIT_1: "7m",
      CUDA_DEVICE_SM_LIMIT: "50",
      GPU_CORE_UTILIZATION_POLICY: "default",
    },
  },
  { name: "a MIG instance beside another share hides both", shares: [shareOf("mps", { gpu: 0 }), shareOf("mig")], expected: visible("") },
];
for (const { name, shares, expected } of environments) test(name, () => assert.deepEqual(engineEnvironment(shares), expected));

test("a MIG share names the instance that must be made, by the plugin, by DRA and by its placement", () => {
  const { migDevice } = realisePartition(shareOf("mig"), "H100-80GB");
  assert.deepEqual(migDevice, {
    resource: "nvidia.com/mig-3g.40gb",
    draDevice: "gpu-1-mig-3g40gb-9-4",
    giProfileId: 9,
    placement: { start: 4, size: 4 },
  });
  const media = realisePartition(shareOf("mig", { mig: { profile: "1g+me", start: 0 } }), "H100-80GB").migDevice;
  assert.deepEqual([media?.resource, media?.draDevice], ["nvidia.com/mig-1g.10gb.me", null]);
  const unknown = realisePartition(shareOf("mig"), "L4-24GB").migDevice;
  assert.deepEqual([unknown?.resource, unknown?.draDevice, unknown?.giProfileId], [null, null, 9]);
});

test("each mode says who keeps memory and compute, time-slicing that nobody does", () => {
  const kept = PARTITION_MODE_NAMES.map((mode) => {
    const { memoryKeptBy, computeKeptBy } = realisePartition(shareOf(mode), null);
    return [mode, memoryKeptBy, computeKeptBy];
  });
  assert.deepEqual(kept, [
    ["exclusive", "hardware", "hardware"],
    ["mig", "hardware", "hardware"],
    ["vgpu", "hooks", "hooks"],
    ["mps", "service", "service"],
    ["time-slicing", "nobody", "nobody"],
  ]);
  assert.equal(realisePartition(shareOf("time-slicing"), null).limits, "no limit of memory at all");
});

test("what is stored says the same, without a MIG device in any other mode", () => {
  for (const mode of PARTITION_MODE_NAMES) {
    const realised = realisePartition(shareOf(mode), "H100-80GB");
    assert.deepEqual(JSON.parse(JSON.stringify(realisedJson(realised))), JSON.parse(JSON.stringify(realised)));
    assert.equal("migDevice" in realisedJson(realised), mode === "mig");
  }
});
