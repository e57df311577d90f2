import assert from "node:assert/strict";
import { test } from "node:test";
import { bindShape, createFleetIndex, releaseShape, type FleetIndex, type FleetNode, type PlacementShape } from "./fleet-index.ts";
import { createFleetPlacer } from "./place-on-fleet.ts";
import { createLeastStranded } from "./score-least-stranded.ts";

const whole: PlacementShape = { cpuMilli: 8_000, memoryMib: 1, gpuCount: 1, gpuMilli: 1_000, models: [] };
const node = (name: string, over: Partial<FleetNode>): FleetNode => ({
  name,
  model: "H100",
  gpuCount: 4,
  cpuMilli: 64_000,
  memoryMib: 65_536,
  ...over,
});

/** The node of the next request, after these were asked for. */
function chosen(fleet: FleetIndex, asked: readonly PlacementShape[], next: PlacementShape): string | null {
  const policy = createLeastStranded(fleet);
  for (const shape of asked) policy.observe(shape);
  const place = createFleetPlacer(fleet, policy).choose(next);
  return place === null ? null : (fleet.names[place.node] ?? null);
}

const times = (count: number, shape: PlacementShape): readonly PlacementShape[] => Array.from({ length: count }, () => shape);
const fleetOf = (...nodes: readonly FleetNode[]): FleetIndex => createFleetIndex(nodes, { boundMax: 100 });

test("before anything was asked for, the first node that does is taken", () => {
  const fleet = fleetOf(node("a", {}), node("b", {}));
  bindShape(fleet, whole, { node: 1, gpus: [0] });
  assert.equal(chosen(fleet, [], whole), "a");
});

test("of places that are equally good the first node's is taken, though another is fuller", () => {
  const fleet = fleetOf(node("a", {}), node("b", {}));
  bindShape(fleet, whole, { node: 1, gpus: [0] });
  assert.equal(chosen(fleet, times(40, whole), whole), "a");
});

test("a model that others ask for by name is kept for them", () => {
  const fleet = fleetOf(node("a", { model: "H100" }), node("b", { model: "L40S" }));
  const named = { ...whole, models: ["H100"] };
  assert.equal(chosen(fleet, times(40, whole), whole), "a");
  assert.equal(chosen(fleet, [...times(20, whole), ...times(20, named)], whole), "b");
  assert.equal(chosen(fleet, [...times(20, whole), ...times(20, named)], named), "a");
});

test("a kept model is given when nothing else fits", () => {
  const fleet = fleetOf(node("a", { model: "H100" }), node("b", { model: "L40S", gpuCount: 0 }));
  assert.equal(chosen(fleet, times(40, { ...whole, models: ["H100"] }), whole), "a");
});

test("CPU is taken where GPUs do not need it, though the other node is fuller", () => {
  const fleet = fleetOf(node("a", { cpuMilli: 40_000 }), node("b", { cpuMilli: 128_000 }));
  const without = { ...whole, gpuCount: 0, gpuMilli: 0, cpuMilli: 12_000 };
  assert.equal(chosen(fleet, [...times(30, whole), ...times(10, without)], without), "b");
});

test("not even what is left of a GPU is given to others while its model is scarce", () => {
  const half = { ...whole, gpuMilli: 500 };
  const asked = (models: readonly string[]) => [...times(10, { ...whole, models }), ...times(10, whole), ...times(20, half)];
  const fleet = fleetOf(node("a", { gpuCount: 1 }), node("b", { gpuCount: 1, model: "L40S" }));
  bindShape(fleet, half, { node: 0, gpus: [0] });
  assert.equal(chosen(fleet, asked([]), half), "a");
  assert.equal(chosen(fleet, asked(["H100"]), half), "b");
});

test("while there is room for pairs, a pair counts for half of what it came", () => {
  const small = { ...whole, cpuMilli: 1_000 };
  const heavy = { ...whole, cpuMilli: 60_000 };
  const asked = [...times(10, small), ...times(12, { ...small, gpuCount: 2 }), ...times(18, heavy)];
  // Alone on a GPU with CPU for the heavy ones, or one of two GPUs that could take a pair: by counts as they came it would be the former.
  const fleet = fleetOf(node("a", { gpuCount: 1 }), node("b", { gpuCount: 2, cpuMilli: 32_000 }));
  assert.equal(chosen(fleet, asked, small), "b");
  for (let count = 0; count < 5; count++) {
    bindShape(fleet, small, { node: 0, gpus: [0] });
    releaseShape(fleet, small, { node: 0, gpus: [0] });
  }
  assert.equal(chosen(fleet, asked, small), "b", "what left before the policy was there says nothing");
});

test("once requests leave, a pair counts four times", () => {
  const small = { ...whole, cpuMilli: 1_000 };
  const heavy = { ...whole, cpuMilli: 60_000 };
  const fleet = fleetOf(node("a", { gpuCount: 1 }), node("b", { gpuCount: 2, cpuMilli: 32_000 }));
  const policy = createLeastStranded(fleet);
  const hear = (shapes: readonly PlacementShape[]): void => shapes.forEach((shape) => policy.observe(shape));
  hear([...times(10, small), ...times(12, { ...small, gpuCount: 2 }), ...times(17, heavy)]);
  for (let count = 0; count < 5; count++) {
    bindShape(fleet, small, { node: 0, gpus: [0] });
    releaseShape(fleet, small, { node: 0, gpus: [0] });
  }
  hear(times(10, heavy));
  const place = createFleetPlacer(fleet, policy).choose(small);
  assert.equal(fleet.names[place?.node ?? -1], "a");
});

test("the last whole nodes are kept for those who need all of one, even at the price of a scarce model", () => {
  const wide = { gpuCount: 8, cpuMilli: 128_000 };
  const eight = { ...whole, gpuCount: 8 };
  const named = { ...whole, models: ["H100"] };
  const asked = [...times(28, whole), eight, ...times(11, named)];
  const fleetWith = (wholeCount: number): FleetIndex => {
    const others = Array.from({ length: 200 }, (_, index) => node(`b-${1_000 + index}`, { ...wide, model: "L40S" }));
    const fleet = fleetOf(node("a", wide), ...others);
    bindShape(fleet, { ...whole, gpuCount: 7 }, { node: 0, gpus: [0, 1, 2, 3, 4, 5, 6] });
    for (let at = 1; at <= 200 - wholeCount; at++) bindShape(fleet, eight, { node: at, gpus: [0, 1, 2, 3, 4, 5, 6, 7] });
    return fleet;
  };
  assert.equal(chosen(fleetWith(9), asked, whole), "a");
  assert.equal(chosen(fleetWith(31), asked, whole), "b-1169");
});

test("nodes that alone have the CPU for large requests are kept for them, though these are too rare to weigh in what is usual", () => {
  const eight = { ...whole, gpuCount: 8, cpuMilli: 64_000 };
  const heavy = { ...eight, cpuMilli: 120_000 };
  const fleet = fleetOf(
    node("a", { gpuCount: 8, cpuMilli: 128_000 }),
    ...Array.from({ length: 12 }, (_, index) => node(`b-${10 + index}`, { gpuCount: 8, cpuMilli: 96_000 })),
  );
  const asked = times(400, whole);
  assert.equal(chosen(fleet, [eight, ...asked], eight), "a");
  assert.equal(chosen(fleet, [heavy, ...asked], eight), "b-10");
  assert.equal(chosen(fleet, [heavy, ...asked], heavy), "a");
});

test("on a fleet in use a small request goes to the node that is farthest from whole, and on one that fills up to the first", () => {
  const asked = [...times(30, { ...whole, cpuMilli: 1_000 }), ...times(9, { ...whole, cpuMilli: 1_000, gpuCount: 4 })];
  const small = { ...whole, cpuMilli: 1_000 };
  const nodeOf = (leaving: number): string | undefined => {
    const fleet = fleetOf(node("a", {}), node("b", {}), node("c", {}));
    const policy = createLeastStranded(fleet);
    for (const shape of asked) policy.observe(shape);
    for (let count = 0; count < leaving; count++) {
      bindShape(fleet, small, { node: 0, gpus: [0] });
      releaseShape(fleet, small, { node: 0, gpus: [0] });
    }
    for (let count = 0; count < 10; count++) policy.observe(small);
    bindShape(fleet, small, { node: 0, gpus: [0] });
    bindShape(fleet, { ...small, gpuCount: 2 }, { node: 1, gpus: [0, 1] });
    return fleet.names[createFleetPlacer(fleet, policy).choose(small)?.node ?? -1];
  };
  assert.equal(nodeOf(0), "a");
  assert.equal(nodeOf(10), "b");
});

test("a part of a GPU goes where what is left can still be used", () => {
  const part = (gpuMilli: number): PlacementShape => ({ ...whole, cpuMilli: 1_000, gpuMilli });
  const fleet = fleetOf(node("a", { gpuCount: 1 }), node("b", { gpuCount: 1 }));
  bindShape(fleet, part(300), { node: 0, gpus: [0] });
  bindShape(fleet, part(500), { node: 1, gpus: [0] });
  assert.equal(chosen(fleet, times(40, part(500)), part(500)), "b");
});
