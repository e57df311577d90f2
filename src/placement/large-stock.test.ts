import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeEights } from "./fake-fleet.ts";
import { bindShape, releaseShape, type PlacementShape } from "./fleet-index.ts";
import { LargeStock } from "./large-stock.ts";

const one: PlacementShape = { cpuMilli: 1_000, memoryMib: 1, gpuCount: 1, gpuMilli: 1_000, models: [] };
const eight: PlacementShape = { ...one, gpuCount: 8 };

test("large places are short below one in twenty of the nodes, until there are eight in a hundred again", () => {
  const fleet = fakeEights(200);
  const stock = new LargeStock(fleet);
  stock.watch(eight);
  const take = (node: number): void => bindShape(fleet, one, { node, gpus: [0] });
  const giveBack = (node: number): void => releaseShape(fleet, one, { node, gpus: [0] });
  for (let node = 0; node < 190; node++) take(node);
  assert.equal(stock.isShort(), false);
  take(190);
  assert.equal(stock.isShort(), true);
  for (let node = 0; node < 6; node++) giveBack(node);
  assert.equal(stock.isShort(), true);
  giveBack(6);
  assert.equal(stock.isShort(), false);
});

test("nothing is short while nobody asks for several GPUs", () => {
  const fleet = fakeEights(100);
  const stock = new LargeStock(fleet);
  for (let node = 0; node < 100; node++) bindShape(fleet, one, { node, gpus: [0] });
  assert.equal(stock.isShort(), false);
  stock.watch(eight);
  assert.equal(stock.isShort(), true);
  stock.watch(null);
  assert.equal(stock.isShort(), false);
});
