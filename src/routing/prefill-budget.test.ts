import assert from "node:assert/strict";
import test from "node:test";
import { monotonicMs } from "../base/ids.ts";
import { endpoint } from "./fake-attempt.ts";
import { PrefillBudget, REREAD_TOKENS_MIN } from "./prefill-budget.ts";

const A = endpoint("a");
const B = endpoint("b");
const at = monotonicMs;

test("prefill budget: so much at a time at each engine, and what is longer alone", () => {
  const budget = new PrefillBudget();
  assert.ok(budget.hasRoom(A, 10 * REREAD_TOKENS_MIN), "alone");
  const first = budget.take(A, 20_000, at(0));
  assert.deepEqual([budget.hasRoom(A, 45_536), budget.hasRoom(A, 45_537), budget.hasRoom(B, REREAD_TOKENS_MIN)], [true, false, true]);
  first.end(false, at(10));
  first.end(false, at(10));
  assert.ok(budget.hasRoom(A, REREAD_TOKENS_MIN));
});

test("prefill budget: an engine that reads fast has more to read, and a slow one never less than at first", () => {
  const budget = new PrefillBudget();
  const [one, two] = [budget.take(A, 20_000, at(0)), budget.take(A, 10_000, at(0))];
  two.end(true, at(30));
  assert.ok(budget.hasRoom(A, 180_000), "30,000 in 30 ms: two hundred thousand in a fifth of a second");
  assert.equal(budget.hasRoom(A, 180_001), false);
  one.end(true, at(10_000));
  budget.take(B, 1, at(10_000));
  assert.equal(budget.hasRoom(B, REREAD_TOKENS_MIN), false);
  assert.ok(budget.hasRoom(B, REREAD_TOKENS_MIN - 1));
});

test("prefill budget: a short prompt, whose time is that of a step, says nothing of the speed", () => {
  const budget = new PrefillBudget();
  budget.take(A, 30_000, at(0)).end(true, at(30));
  budget.take(A, 128, at(40)).end(true, at(60));
  budget.take(A, 1, at(70));
  assert.ok(budget.hasRoom(A, 199_999));
});

test("prefill budget: who has no token says nothing of the speed", () => {
  const budget = new PrefillBudget();
  budget.take(A, 30_000, at(0)).end(false, at(1));
  budget.take(A, 1, at(2));
  assert.equal(budget.hasRoom(A, REREAD_TOKENS_MIN), false);
});
