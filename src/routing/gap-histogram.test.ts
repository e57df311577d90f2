import assert from "node:assert/strict";
import test from "node:test";
import { GapHistogram } from "./gap-histogram.ts";
import { cutAfterMs, firstTokenCutAfterMs, firstTokenLateAfterMs, lateAfterMs } from "./patience.ts";

test("gaps: the p99 is right within an eighth, and follows the times", () => {
  const gaps = new GapHistogram();
  assert.equal(gaps.p99Ms(), 0);
  for (let count = 0; count < 980; count += 1) gaps.add(20);
  for (let count = 0; count < 20; count += 1) gaps.add(200);
  assert.ok(gaps.p99Ms() >= 200 && gaps.p99Ms() <= 225, String(gaps.p99Ms()));
  for (let count = 0; count < 40_000; count += 1) gaps.add(50);
  assert.ok(gaps.p99Ms() >= 50 && gaps.p99Ms() <= 57, String(gaps.p99Ms()));
});

test("patience: half a second at least, eight usual gaps above it, and cutting far later than asking", () => {
  assert.equal(lateAfterMs(0), 500);
  assert.equal(lateAfterMs(100), 800);
  for (const gapMs of [0, 20, 500]) assert.ok(cutAfterMs(gapMs) >= Math.max(10_000, 10 * lateAfterMs(gapMs)));
});

test("patience: a first token may take longer for a long prompt behind a queue", () => {
  assert.equal(firstTokenLateAfterMs(0, 0), 1_000);
  assert.ok(firstTokenLateAfterMs(32_000, 60) >= 10_000);
  assert.ok(firstTokenCutAfterMs(32_000, 60) >= 80_000);
});
