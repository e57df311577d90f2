import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PartitionMode } from "../api/gpu-partition.ts";
import { cappedShares, computeSlowdowns } from "./compute-slowdown.ts";

/** A published comparison: seconds of one small detector in so many pods on one card. */
const PUBLISHED: Readonly<Record<"time-slicing" | "mps" | "mig", Readonly<Record<number, number>>>> = {
  "time-slicing": { 1: 0.088, 3: 0.293, 5: 0.489, 7: 0.685 },
  mps: { 1: 0.088, 3: 0.164, 5: 0.241, 7: 0.32 },
  mig: { 3: 0.341, 5: 0.345, 7: 0.344 },
};
const ALONE_SECONDS = 0.088;
/** Of that detector: the slope of MPS. */
const DETECTOR_RATIO = 0.44;

for (const mode of ["time-slicing", "mps", "mig"] as const) {
  for (const [count, seconds] of Object.entries(PUBLISHED[mode])) {
    test(`compute: ${count} pods by ${mode} are as slow as was published`, () => {
      const claims = Array.from({ length: Number(count) }, () => ({ mode, computePercent: 100 / 7, demandRatio: DETECTOR_RATIO }));
      for (const slowdown of computeSlowdowns(claims))
        assert.ok(Math.abs(ALONE_SECONDS * slowdown - seconds) <= 0.005, `${ALONE_SECONDS * slowdown}`);
    });
  }
}

for (const { name, percents, shares } of [
  { name: "one gets all", percents: [20], shares: [1] },
  { name: "gold and bronze by their weights", percents: [80, 20], shares: [0.8, 0.2] },
  { name: "all three classes by their weights", percents: [80, 50, 20], shares: [80 / 150, 50 / 150, 20 / 150] },
  { name: "two of one class alike", percents: [80, 80], shares: [0.5, 0.5] },
  { name: "two that want less than there is leave nothing idle", percents: [20, 20], shares: [0.5, 0.5] },
  { name: "a ceiling gives the rest to who is below its own", percents: [20, 50], shares: [2 / 7, 5 / 7] },
]) {
  test(`compute: ${name}`, () => {
    const got = cappedShares(percents.map((computePercent) => ({ computePercent })));
    assert.deepEqual(
      got.map((share) => share.toFixed(6)),
      shares.map((share) => share.toFixed(6)),
    );
  });
}

const percents = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 });

test("compute: shares make the whole card, and the order of weights is kept", () => {
  fc.assert(
    fc.property(percents, (given) => {
      const shares = cappedShares(given.map((computePercent) => ({ computePercent })));
      assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
      for (const [index, share] of shares.entries())
        for (const [other, otherShare] of shares.entries())
          if ((given[index] ?? 0) >= (given[other] ?? 0)) assert.ok(share >= otherShare - 1e-9);
    }),
  );
});

test("compute: engines that take all they get are exactly as slow as their share says", () => {
  fc.assert(
    fc.property(percents, fc.constantFrom<PartitionMode>("mps", "vgpu"), (given, mode) => {
      const claims = given.map((computePercent) => ({ mode, computePercent, demandRatio: 1 }));
      const shares = cappedShares(claims);
      for (const [index, slowdown] of computeSlowdowns(claims).entries()) assert.ok(Math.abs(slowdown * (shares[index] ?? 0) - 1) < 1e-9);
    }),
  );
});

test("compute: nobody is faster than alone on the card, and who has it alone is not slowed down", () => {
  const modes = fc.constantFrom<PartitionMode>("exclusive", "mig", "vgpu", "mps", "time-slicing");
  const claim = fc.record({
    mode: modes,
    computePercent: fc.integer({ min: 1, max: 100 }),
    demandRatio: fc.double({ min: 0.01, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(claim, { minLength: 1, maxLength: 8 }), (claims) => {
      for (const [index, slowdown] of computeSlowdowns(claims).entries()) {
        assert.ok(slowdown >= 1 && Number.isFinite(slowdown));
        if (claims[index]?.mode === "exclusive") assert.equal(slowdown, 1);
      }
    }),
  );
});
