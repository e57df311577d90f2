import assert from "node:assert/strict";
import { test } from "node:test";
import type { FleetNode, PlacementShape } from "../../src/placement/fleet-index.ts";
import { runDepartures } from "./departures.ts";

const nodes = Array.from({ length: 10 }, (_, index): FleetNode => {
  return { name: `node-${index}`, model: "H100", gpuCount: 8, cpuMilli: 96_000, memoryMib: 1_000 };
});
const shape: PlacementShape = { cpuMilli: 1_000, memoryMib: 1, gpuCount: 1, gpuMilli: 1_000, models: [] };
const traceOf = (...lifetimesSeconds: readonly (number | null)[]) => ({
  name: "made",
  pods: lifetimesSeconds.map(() => shape),
  lifetimesSeconds,
});

test("pods that come and leave hold as much of the fleet as the load says, and leave it free again", () => {
  const { allocation, rejected } = runDepartures({ nodes, trace: traceOf(60, 120, 600), policy: "best-fit", load: 0.5, seed: 1 });
  assert.ok(Math.abs(allocation - 50) < 3, `${allocation}`);
  assert.equal(rejected, 0);
});

test("what is asked for beyond the fleet is rejected", () => {
  const { allocation, rejected } = runDepartures({ nodes, trace: traceOf(60, 120, 600), policy: "best-fit", load: 2, seed: 1 });
  assert.ok(allocation > 97, `${allocation}`);
  assert.ok(Math.abs(rejected - 50) < 4, `${rejected}`);
});

test("a trace without times has no departures", () => {
  assert.throws(() => runDepartures({ nodes, trace: traceOf(60, null), policy: "best-fit", load: 1, seed: 1 }), /has no times/);
});
