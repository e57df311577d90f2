import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeName } from "../base/ids.ts";
import { enginesHit, type GpuClient } from "./engines-hit.ts";
import { explainGpuFault, GPU_APPLICATION_MODES, GPU_LOST_MODES, isGpuApplicationMode, isGpuLostMode } from "./fault.ts";
import type { PartitionMode } from "./gpu-partition.ts";

const MODES = {
  gpu: Object.keys(GPU_LOST_MODES).filter(isGpuLostMode),
  application: Object.keys(GPU_APPLICATION_MODES).filter(isGpuApplicationMode),
};
const both = (mode: PartitionMode | null): readonly GpuClient[] => [
  { instance: "one", mode },
  { instance: "two", mode },
];

const cases: readonly { readonly cut: PartitionMode | null; readonly hit: readonly string[] }[] = [
  { cut: "mig", hit: ["one"] },
  { cut: "mps", hit: ["one", "two"] },
  { cut: "vgpu", hit: ["one", "two"] },
  { cut: "time-slicing", hit: ["one", "two"] },
  { cut: null, hit: ["one", "two"] },
];

for (const { cut, hit } of cases) {
  test(`a fault of one application on a GPU cut by ${cut ?? "nothing"} ends ${hit.join(" and ")}`, () => {
    for (const mode of MODES.application) assert.deepEqual(enginesHit(mode, both(cut), "one"), hit);
  });
  test(`a GPU cut by ${cut ?? "nothing"} that is gone is gone for all on it`, () => {
    for (const mode of MODES.gpu) assert.deepEqual(enginesHit(mode, both(cut), null), ["one", "two"]);
  });
}

test("a fault on an exclusive GPU ends its owner, and no guest that was started by hand", () => {
  const clients: readonly GpuClient[] = [
    { instance: "one", mode: "exclusive" },
    { instance: "guest", mode: null },
  ];
  assert.deepEqual(enginesHit("mmu_fault", clients, "one"), ["one"]);
  assert.deepEqual(enginesHit("mmu_fault", clients, "guest"), ["guest"]);
});

test("a fault of who is not there ends nobody", () => {
  assert.deepEqual(enginesHit("graphics_exception", both("mps"), "three"), []);
});

test("a fault is told with its GPU, its Xid and what it is", () => {
  const at = { node: nodeName("gpu-a"), gpu: 1 };
  assert.deepEqual(
    [...MODES.gpu, ...MODES.application].map((mode) => explainGpuFault({ ...at, mode })),
    [
      "GPU gpu-a/1 has fallen off the bus (Xid 79)",
      "GPU gpu-a/1 is lost: its driver does not reach it",
      "GPU gpu-a/1 has an uncontained memory error, and needs a reset (Xid 95)",
      "GPU gpu-a/1: a graphics engine exception (Xid 13)",
      "GPU gpu-a/1: an access to memory that is not mapped (Xid 31)",
      "GPU gpu-a/1: a contained memory error (Xid 94)",
    ],
  );
});
