import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { SmoothWeighted } from "./smooth-weighted.ts";

const ids = (weights: readonly number[]): { id: string; weight: number }[] => weights.map((weight, index) => ({ id: `e${index}`, weight }));

test("weights: 80 to 20 gives four and one in every five, spread out", () => {
  const choice = new SmoothWeighted();
  const chosen = Array.from({ length: 10 }, () => choice.choose("pool", ids([80, 20])));
  assert.deepEqual(chosen, [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]);
});

test("weights: nobody with a weight is chosen as nobody", () => {
  const choice = new SmoothWeighted();
  assert.equal(choice.choose("pool", ids([0, 0])), -1);
  assert.equal(choice.choose("pool", []), -1);
  assert.equal(choice.choose("pool", ids([0, 1])), 1);
});

test("weights: over a whole cycle every share is exact, whatever the weights", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 6 }), (weights) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const choice = new SmoothWeighted();
      const counts = weights.map(() => 0);
      for (let turn = 0; turn < total; turn += 1) {
        const index = choice.choose("pool", ids(weights));
        counts[index] = (counts[index] ?? 0) + 1;
      }
      assert.deepEqual(counts, weights);
    }),
  );
});

test("weights: pools do not know of each other", () => {
  const choice = new SmoothWeighted();
  const first = choice.choose("a", ids([1, 1]));
  assert.equal(choice.choose("b", ids([1, 1])), first);
  assert.notEqual(choice.choose("a", ids([1, 1])), first);
});

test("weights: those that are gone for good are forgotten, and who is left out of a choice keeps its turn", () => {
  const choice = new SmoothWeighted();
  const both = ids([1, 1]);
  assert.equal(choice.choose("p", both), 0);
  // It failed the request that asks again.
  assert.equal(choice.choose("p", both.slice(0, 1)), 0);
  assert.equal(choice.choose("p", both), 1);
  assert.equal(choice.choose("p", both), 0);
  for (let generation = 0; generation < 100; generation += 1) choice.choose("p", [{ id: `g${generation}`, weight: 1 }]);
  // Its turn would be the second one's, were the old credits still there.
  assert.equal(choice.choose("p", both), 0);
});
