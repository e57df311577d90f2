import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlacementShape } from "../../src/placement/fleet-index.ts";
import { makeArrivals, milliOf } from "./arrivals.ts";

const pods = Array.from({ length: 40 }, (_, index): PlacementShape => {
  const gpuCount = index % 4 === 0 ? 0 : 1 + (index % 2);
  return { cpuMilli: 1_000 + index, memoryMib: 1, gpuCount, gpuMilli: gpuCount === 0 ? 0 : 1_000, models: [] };
});
const askedOf = (arrivals: readonly PlacementShape[]): number => arrivals.reduce((sum, pod) => sum + milliOf(pod), 0);

test("arrivals are the whole trace in an order of the seed's, then pods drawn again up to 1.3 times the fleet", () => {
  const arrivals = makeArrivals(pods, 100_000, 7);
  assert.deepEqual(new Set(arrivals.slice(0, pods.length)), new Set(pods));
  assert.notDeepEqual(arrivals.slice(0, pods.length), pods);
  assert.ok(arrivals.slice(pods.length).every((pod) => pods.includes(pod)));
  // The last pod may have two GPUs, of which only one is looked at.
  assert.ok(askedOf(arrivals) > 129_000 && askedOf(arrivals) <= 131_000, `${askedOf(arrivals)}`);
});

test("the same seed makes the same arrivals, another seed others", () => {
  assert.deepEqual(makeArrivals(pods, 100_000, 7), makeArrivals(pods, 100_000, 7));
  assert.notDeepEqual(makeArrivals(pods, 100_000, 7), makeArrivals(pods, 100_000, 8));
});

test("a trace that asks for more than 1.3 times the fleet is thinned, and nothing is drawn again", () => {
  const arrivals = makeArrivals(pods, 20_000, 7);
  assert.ok(askedOf(arrivals) <= 26_000 && askedOf(arrivals) > 23_000, `${askedOf(arrivals)}`);
  assert.equal(new Set(arrivals).size, arrivals.length);
});
