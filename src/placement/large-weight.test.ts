import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeEights } from "./fake-fleet.ts";
import { fakeShape } from "./fake-shape.ts";
import { bindShape, releaseShape, type PlacementShape } from "./fleet-index.ts";
import { LargeWeight } from "./large-weight.ts";

const one = fakeShape({ cpuMilli: 1_000, memoryMib: 1 });
const eight: PlacementShape = { ...one, gpuCount: 8 };
const EIGHT_GPUS = [0, 1, 2, 3, 4, 5, 6, 7];
const sharesOf = (large: number) => [
  { shape: one, share: 1 - large },
  { shape: eight, share: large },
];

interface Case {
  readonly name: string;
  readonly large: number;
  /** Requests for one GPU that came, were bound, and left again, of a hundred. */
  readonly bound: number;
  readonly left: number;
  /** Of the hundred other nodes. */
  readonly full: number;
  readonly power: number;
}
const cases: readonly Case[] = [
  { name: "a fleet that fills up counts large requests for less", large: 0.01, bound: 100, left: 0, full: 0, power: -1 },
  { name: "it counts them for more when few whole nodes are left", large: 0.01, bound: 100, left: 0, full: 96, power: 2 },
  { name: "a tenth that left makes a fleet in use", large: 0.01, bound: 100, left: 10, full: 0, power: 2 },
  { name: "fewer do not", large: 0.01, bound: 100, left: 9, full: 0, power: -1 },
  { name: "in use, where large requests are frequent they count for less", large: 0.15, bound: 100, left: 10, full: 0, power: 1 },
  { name: "in use, where most are large they count as they came", large: 0.7, bound: 100, left: 10, full: 0, power: 0 },
  { name: "in use and overfull, large requests count once for each GPU", large: 0.01, bound: 92, left: 10, full: 0, power: 1 },
  { name: "few refusals do not make it overfull", large: 0.01, bound: 93, left: 10, full: 0, power: 2 },
  { name: "overfull does not raise what is less", large: 0.7, bound: 92, left: 10, full: 0, power: 0 },
];
for (const { name, large, bound, left, full, power } of cases)
  test(`weight of large requests: ${name}`, () => {
    const fleet = fakeEights(113);
    const weight = new LargeWeight(fleet);
    for (let count = 0; count < 100; count++) {
      weight.count(one);
      if (count >= bound) continue;
      const place = { node: 100 + Math.floor(count / 8), gpus: [count % 8] };
      bindShape(fleet, one, place);
      if (count < left) releaseShape(fleet, one, place);
    }
    for (let node = 0; node < full; node++) {
      weight.count(eight);
      bindShape(fleet, eight, { node, gpus: EIGHT_GPUS });
    }
    weight.read(sharesOf(large));
    assert.equal(weight.power(), power);
    assert.equal(weight.isInUse, left >= 10);
  });

test("what left before it was there says nothing, nor what was refused before it was last read", () => {
  const fleet = fakeEights(10);
  for (let count = 0; count < 10; count++) {
    bindShape(fleet, one, { node: 0, gpus: [0] });
    releaseShape(fleet, one, { node: 0, gpus: [0] });
  }
  const weight = new LargeWeight(fleet);
  for (let count = 0; count < 50; count++) weight.count(one);
  weight.read(sharesOf(0.01));
  assert.equal(weight.power(), -1);
  for (let count = 0; count < 50; count++) {
    weight.count(one);
    bindShape(fleet, one, { node: 0, gpus: [0] });
    releaseShape(fleet, one, { node: 0, gpus: [0] });
  }
  weight.read(sharesOf(0.01));
  assert.equal(weight.power(), 2);
});
