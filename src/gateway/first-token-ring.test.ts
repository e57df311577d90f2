import assert from "node:assert/strict";
import test from "node:test";
import { FirstTokenRing } from "./first-token-ring.ts";

test("the first-token ring tells the p99 of what came since it was asked, and then knows nothing", () => {
  const ring = new FirstTokenRing();
  assert.equal(ring.takeP99Ms(), null);
  for (let ms = 1; ms <= 200; ms += 1) ring.add(ms);
  assert.equal(ring.takeP99Ms(), 198);
  assert.equal(ring.takeP99Ms(), null);
  ring.add(7);
  assert.equal(ring.takeP99Ms(), 7);
});

test("the first-token ring keeps the newest samples when there are more than it holds", () => {
  const ring = new FirstTokenRing();
  for (let count = 0; count < 1_000; count += 1) ring.add(9_000);
  for (let count = 0; count < 512; count += 1) ring.add(5);
  assert.equal(ring.takeP99Ms(), 5);
});
