import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlacementShape } from "./fleet-index.ts";
import { fakeShape as shape } from "./fake-shape.ts";
import { largestShape, mixOfModel, scarcityOfModels, weighedByGpus, WorkloadMix } from "./workload-mix.ts";

function mixOf(...counts: readonly (readonly [PlacementShape, number])[]): WorkloadMix {
  const mix = new WorkloadMix();
  for (const [asked, count] of counts) for (let at = 0; at < count; at++) mix.add(asked);
  return mix;
}

test("shares are of the most frequent shapes until enough is covered, and sum to one", () => {
  const mix = mixOf([shape({ gpuMilli: 100 }), 1], [shape({}), 6], [shape({ gpuCount: 2 }), 3]);
  assert.deepEqual(
    mix.shares(0.9).map(({ shape: { gpuCount, gpuMilli }, share }) => [gpuCount, gpuMilli, share]),
    [
      [1, 1_000, 6 / 9],
      [2, 1_000, 3 / 9],
    ],
  );
  assert.equal(mix.shares(1).length, 3);
  assert.equal(mix.total, 10);
});

test("shapes that differ in host memory alone are one", () => {
  assert.equal(mixOf([shape({ memoryMib: 1 }), 1], [shape({ memoryMib: 2 }), 1]).shares(1).length, 1);
});

test("a model sees requests for others and those without GPUs as foreign, and equal ones as one", () => {
  const shares = mixOf(
    [shape({}), 4],
    [shape({ models: ["H100"] }), 2],
    [shape({ models: ["A100"] }), 1],
    [shape({ gpuCount: 0, gpuMilli: 0 }), 1],
  ).shares(1);
  const mix = mixOfModel(shares, "H100");
  assert.deepEqual([...mix.share], [0.75]);
  assert.equal(mix.foreignShare, 0.25);
  assert.deepEqual([...mix.milli], [1_000]);
});

test("a model is as scarce as those who name it would take of it if all GPUs were asked for", () => {
  // Of a fleet of 100: 20 name H100 and 10 either; the 10 go where there is more room.
  const shares = mixOf([shape({ models: ["H100"] }), 2], [shape({ models: ["H100", "A100"] }), 1], [shape({}), 7]).shares(1);
  const [h100 = 0, a100 = 0, other = 0] = scarcityOfModels(shares, ["H100", "A100", "T4"], [40_000, 20_000, 40_000]);
  assert.ok(Math.abs(h100 - 0.5) < 0.01, `${h100}`);
  assert.ok(Math.abs(a100 - 0.5) < 0.01, `${a100}`);
  assert.equal(other, 0);
});

test("a model that is asked for more than there is has scarcity one, and one that is not there is passed over", () => {
  const shares = mixOf([shape({ models: ["H100"] }), 3], [shape({ models: ["B200"] }), 1]).shares(1);
  assert.deepEqual(scarcityOfModels(shares, ["H100", "A100"], [10_000, 90_000]), [1, 0]);
});

const weights = [
  { name: "at power one a pair counts twice and a request without GPUs once", power: 1, parts: [2, 4, 1] },
  { name: "at power two a pair counts four times", power: 2, parts: [2, 8, 1] },
  { name: "at power minus one a pair counts half", power: -1, parts: [2, 1, 1] },
];
for (const { name, power, parts } of weights)
  test(`weighed by GPUs: ${name}, and shares sum to one`, () => {
    const shares = mixOf([shape({}), 2], [shape({ gpuCount: 2 }), 2], [shape({ gpuCount: 0, gpuMilli: 0 }), 1]).shares(1);
    const total = parts.reduce((sum, part) => sum + part, 0);
    assert.deepEqual(
      weighedByGpus(shares, power).map(({ shape: { gpuCount }, share }) => [gpuCount, share.toFixed(4)]),
      [1, 2, 0].map((gpuCount, at) => [gpuCount, ((parts[at] ?? 0) / total).toFixed(4)]),
    );
  });

test("the largest shape is the most frequent of those with the most GPUs, and none when nobody asks for several", () => {
  const rare = shape({ gpuCount: 8, cpuMilli: 120_000 });
  const usual = shape({ gpuCount: 8, cpuMilli: 88_000 });
  assert.equal(largestShape(mixOf([shape({}), 9], [rare, 1], [usual, 2]).shares(1)), usual);
  assert.equal(largestShape(mixOf([shape({}), 9]).shares(1)), null);
});
