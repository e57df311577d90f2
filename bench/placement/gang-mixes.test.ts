import assert from "node:assert/strict";
import { test } from "node:test";
import { INFERENCE_MIXES, livesOfShapes } from "./gang-mixes.ts";

test("of a hundred inference engines sixteen have two GPUs, twelve four, eight eight, and forty share", () => {
  for (const [name, shapes] of INFERENCE_MIXES) {
    const counts = [2, 4, 8].map((gpuCount) => shapes.filter((shape) => shape.gpuCount === gpuCount).length);
    assert.deepEqual([...counts, shapes.filter(({ gpuMilli }) => gpuMilli < 1_000).length, shapes.length], [16, 12, 8, 40, 100], name);
  }
});

test("shapes get lifetimes of the trace's, capped, and a trace without times is refused", () => {
  const shapes = INFERENCE_MIXES[0]?.[1] ?? [];
  const timed = { name: "made", pods: [], lifetimesSeconds: [60, 7_200] };
  assert.deepEqual(new Set(livesOfShapes(shapes, timed).map(({ seconds }) => seconds)), new Set([60, 3_600]));
  assert.throws(() => livesOfShapes(shapes, { ...timed, lifetimesSeconds: [null] }), /a trace with times/);
});
