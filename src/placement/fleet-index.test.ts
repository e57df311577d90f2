import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bindShape,
  copyFleetIndex,
  createFleetIndex,
  fitsNode,
  fullestGpu,
  lowestGpus,
  releaseShape,
  type FleetIndex,
} from "./fleet-index.ts";
import type { FleetNode } from "./fleet-index.ts";
import { fakeShape as shape } from "./fake-shape.ts";

const node = (name: string, gpuCount = 2, model = "H100"): FleetNode => ({ name, model, gpuCount, cpuMilli: 32_000, memoryMib: 65_536 });
const fleetOf = (...nodes: readonly FleetNode[]): FleetIndex => createFleetIndex(nodes, { boundMax: 3 });

const fits = [
  { name: "a shape that takes all of a node fits it", asked: shape({ cpuMilli: 32_000, memoryMib: 65_536, gpuCount: 2 }), is: true },
  { name: "CPU that is not there does not fit", asked: shape({ cpuMilli: 32_001 }), is: false },
  { name: "host memory that is not there does not fit", asked: shape({ memoryMib: 65_537 }), is: false },
  { name: "more GPUs than the node has do not fit", asked: shape({ gpuCount: 3 }), is: false },
  { name: "a model that was not asked for does not fit", asked: shape({ models: ["A100"] }), is: false },
  { name: "one of several models fits", asked: shape({ models: ["A100", "H100"] }), is: true },
  { name: "a shape without GPUs fits", asked: shape({ gpuCount: 0, gpuMilli: 0 }), is: true },
];
for (const { name, asked, is } of fits) test(`filter: ${name}`, () => assert.equal(fitsNode(fleetOf(node("a")), 0, asked), is));

test("filter: GPUs whose parts are free do not add up to a whole one", () => {
  const fleet = fleetOf(node("a"));
  for (const gpu of [0, 1]) bindShape(fleet, shape({ gpuMilli: 500 }), { node: 0, gpus: [gpu] });
  assert.equal(fitsNode(fleet, 0, shape({})), false);
  assert.equal(fitsNode(fleet, 0, shape({ gpuMilli: 500 })), true);
});

test("filter: a node has only so many places", () => {
  const fleet = fleetOf(node("a"));
  const small = shape({ cpuMilli: 1, memoryMib: 1, gpuMilli: 100 });
  for (let count = 0; count < 3; count++) bindShape(fleet, small, { node: 0, gpus: [0] });
  assert.equal(fitsNode(fleet, 0, small), false);
});

test("binding takes from the node and its GPUs, releasing gives all back", () => {
  const fleet = fleetOf(node("b"), node("a"));
  const asked = shape({ gpuMilli: 300 });
  const before = fleet.stateOf[0];
  bindShape(fleet, asked, { node: 0, gpus: [1] });
  assert.deepEqual([...fleet.freeGpuMilli.subarray(0, 2)], [1_000, 700]);
  assert.deepEqual([fleet.names[0], fleet.freeMilliOf[0], fleet.freeCpuMilli[0], fleet.freeMemoryMib[0]], ["a", 1_700, 28_000, 57_344]);
  assert.notEqual(fleet.stateOf[0], before);
  releaseShape(fleet, asked, { node: 0, gpus: [1] });
  assert.deepEqual([...fleet.freeGpuMilli], [1_000, 1_000, 1_000, 1_000]);
  assert.equal(fleet.stateOf[0], before);
  assert.deepEqual(fleet.changes, [0, 0]);
  assert.equal(fleet.releasedCount, 1);
});

test("nodes in the same state have the same number, others have not", () => {
  const fleet = fleetOf(node("a"), node("b"), node("c", 4), node("d", 2, "A100"));
  assert.equal(fleet.stateOf[0], fleet.stateOf[1]);
  assert.equal(new Set(fleet.stateOf).size, 3);
  bindShape(fleet, shape({}), { node: 1, gpus: [0] });
  assert.notEqual(fleet.stateOf[0], fleet.stateOf[1]);
  bindShape(fleet, shape({}), { node: 0, gpus: [0] });
  assert.equal(fleet.stateOf[0], fleet.stateOf[1]);
});

test("nodes are of one kind when they are alike while empty, and of another kind never in the same state", () => {
  const rich = { ...node("a"), cpuMilli: 64_000 };
  const fleet = createFleetIndex([rich, { ...rich, name: "b", cpuMilli: 32_000 }, { ...rich, name: "c" }], { boundMax: 10 });
  assert.deepEqual([...fleet.kindOf], [0, 1, 0]);
  assert.deepEqual(
    fleet.kinds.map(({ cpuMilli, nodeCount }) => [cpuMilli, nodeCount]),
    [
      [64_000, 2],
      [32_000, 1],
    ],
  );
  bindShape(fleet, shape({ gpuCount: 0, gpuMilli: 0, cpuMilli: 32_000, memoryMib: 0 }), { node: 0, gpus: [] });
  assert.equal(fleet.freeCpuMilli[0], fleet.freeCpuMilli[1]);
  assert.notEqual(fleet.stateOf[0], fleet.stateOf[1]);
});

test("a GPU is never given more than once", () => {
  const fleet = fleetOf(node("a"));
  bindShape(fleet, shape({ gpuMilli: 600 }), { node: 0, gpus: [0] });
  assert.throws(() => bindShape(fleet, shape({ gpuMilli: 600 }), { node: 0, gpus: [0] }), /between nothing and all/);
  assert.throws(() => bindShape(fleet, shape({ gpuCount: 2 }), { node: 0, gpus: [0, 1] }), /only where it fits/);
});

test("a shared GPU is the fullest that does; whole ones are the lowest", () => {
  const fleet = fleetOf(node("a", 4));
  bindShape(fleet, shape({ gpuMilli: 600 }), { node: 0, gpus: [1] });
  bindShape(fleet, shape({ gpuMilli: 300 }), { node: 0, gpus: [2] });
  assert.equal(fullestGpu(fleet, 0, shape({ gpuMilli: 400 })), 1);
  assert.equal(fullestGpu(fleet, 0, shape({ gpuMilli: 500 })), 2);
  assert.deepEqual(lowestGpus(fleet, 0, shape({ gpuCount: 2 })), [0, 3]);
});

test("what is tried on a copy leaves the fleet as it is", () => {
  const fleet = fleetOf(node("a"), node("b"));
  bindShape(fleet, shape({ gpuMilli: 300 }), { node: 0, gpus: [0] });
  const kept = structuredClone(fleet);
  const copy = copyFleetIndex(fleet);
  assert.deepEqual(copy, fleet);
  bindShape(copy, shape({ gpuCount: 2 }), { node: 1, gpus: [0, 1] });
  releaseShape(copy, shape({ gpuMilli: 300 }), { node: 0, gpus: [0] });
  assert.deepEqual(structuredClone(fleet), kept);
  assert.equal(copy.freeMilliOf[1], 0);
});
