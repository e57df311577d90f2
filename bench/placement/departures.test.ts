import assert from "node:assert/strict";
import { test } from "node:test";
import type { FleetNode, PlacementShape } from "../../src/placement/fleet-index.ts";
import { livesOf, runDepartures } from "./departures.ts";

const nodes = Array.from({ length: 10 }, (_, index): FleetNode => {
  return { name: `node-${index}`, model: "H100", gpuCount: 8, cpuMilli: 96_000, memoryMib: 1_000 };
});
const shape: PlacementShape = { cpuMilli: 1_000, memoryMib: 1, gpuCount: 1, gpuMilli: 1_000, models: [] };
const traceOf = (...lifetimesSeconds: readonly (number | null)[]) => ({
  name: "made",
  pods: lifetimesSeconds.map(() => shape),
  lifetimesSeconds,
});
const lives = livesOf(traceOf(60, 120, 600));

test("pods that come and leave hold as much of the fleet as the load says, and leave it free again", () => {
  const { allocation, rejected, gangsRejected } = runDepartures({ nodes, lives, policy: "best-fit", load: 0.5, seed: 1 });
  assert.ok(Math.abs(allocation - 50) < 4, `${allocation}`);
  assert.equal(rejected, 0);
  assert.equal(gangsRejected, 0);
});

test("what is asked for beyond the fleet is rejected", () => {
  const { allocation, rejected } = runDepartures({ nodes, lives, policy: "best-fit", load: 2, seed: 1 });
  assert.ok(allocation > 97, `${allocation}`);
  assert.ok(Math.abs(rejected - 50) < 4, `${rejected}`);
});

test("requests for more GPUs than any node has are all rejected", () => {
  const wide = [{ asked: { ...shape, gpuCount: 9 }, seconds: 60, weight: 9_000 }];
  const { gangsRejected, allocation } = runDepartures({ nodes, lives: wide, policy: "least-stranded", load: 0.5, seed: 1 });
  assert.deepEqual([gangsRejected, allocation], [100, 0]);
});

test("a trace without times has no departures", () => {
  assert.throws(() => livesOf(traceOf(60, null)), /has no times/);
});
