import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { RETRY_FLOOR, RETRY_RATIO, RetryBudget } from "./retry-budget.ts";

test("retry budget: never more than its share of the requests and the floor, in any order", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 500 }), (events) => {
      const budget = new RetryBudget();
      let requests = 0;
      let retries = 0;
      for (const isRequest of events) {
        if (isRequest) {
          budget.recordRequest();
          requests += 1;
        } else if (budget.take()) retries += 1;
        assert.ok(retries <= RETRY_RATIO * requests + RETRY_FLOOR + 1e-6, `${retries} retries of ${requests} requests`);
      }
    }),
  );
});

test("retry budget: a refused retry costs nothing, thirteen requests buy one more", () => {
  const budget = new RetryBudget();
  for (let count = 0; count < RETRY_FLOOR; count += 1) assert.equal(budget.take(), true);
  assert.equal(budget.take(), false);
  for (let count = 0; count < 13; count += 1) budget.recordRequest();
  assert.deepEqual([budget.take(), budget.take()], [true, false]);
});

test("retry budget: hedges alone are never more than its share of the requests, and leave what failures need", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 500 }), (events) => {
      const budget = new RetryBudget();
      let requests = 0;
      let hedges = 0;
      for (const isRequest of events) {
        if (isRequest) {
          budget.recordRequest();
          requests += 1;
        } else if (budget.canHedge() && budget.take()) hedges += 1;
        assert.ok(hedges <= RETRY_RATIO * requests + 1e-6, `${hedges} hedges of ${requests} requests`);
      }
      for (let count = 0; count < RETRY_FLOOR; count += 1) assert.equal(budget.take(), true);
    }),
    { seed: 12 },
  );
});
