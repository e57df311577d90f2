import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { LowDiscrepancy } from "./low-discrepancy.ts";

test("a low-discrepancy choice is within one of its exact share after every question", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 2_000 }), (share, count) => {
      const choice = new LowDiscrepancy();
      let taken = 0;
      for (let asked = 1; asked <= count; asked += 1) {
        if (choice.take("a", share)) taken += 1;
        assert.ok(Math.abs(taken - asked * share) <= 1, `${taken} of ${asked} at ${share}`);
      }
    }),
  );
});

test("a low-discrepancy choice of one in ten takes every tenth", () => {
  const choice = new LowDiscrepancy();
  const taken = Array.from({ length: 30 }, () => choice.take("a", 0.1));
  assert.deepEqual(
    taken.flatMap((isTaken, index) => (isTaken ? [index] : [])),
    [9, 19, 29],
  );
});

test("low-discrepancy sequences do not disturb each other, and are forgotten with their owners", () => {
  const choice = new LowDiscrepancy();
  assert.equal(choice.take("a", 0.5), false);
  assert.equal(choice.take("b", 0.5), false);
  choice.retain(new Set(["b"]));
  assert.equal(choice.take("b", 0.5), true);
  assert.equal(choice.take("a", 0.5), false);
});
