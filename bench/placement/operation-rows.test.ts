import assert from "node:assert/strict";
import { test } from "node:test";
import { fleetLedger, migLedger, partitionLedger, type Ledger } from "./operation-ledgers.ts";
import { operate } from "./operation-rows.ts";

for (const { name, open } of [
  { name: "fleet", open: () => fleetLedger(4) },
  { name: "partitions", open: () => partitionLedger(32) },
  { name: "mig", open: () => migLedger(4) },
]) {
  test(`operations: ${name} is never over-committed, comes to its bounds, and decides the same again`, () => {
    const run = () => operate(open(), { operations: 5_000, seed: 3 });
    const first = run();
    assert.equal(first.wrong, 0);
    assert.ok(first.refused > 50 && first.refused < 2_500, `${first.refused} refused`);
    assert.deepEqual(run(), first);
    assert.notEqual(operate(open(), { operations: 5_000, seed: 4 }).hash, first.hash);
  });
}

test("operations: what is wrong is counted, and each decision is in the hash", () => {
  const ledger = (decided: number): Ledger => ({ name: "x", step: () => decided, wrongCount: () => 7 });
  const run = operate(ledger(2), { operations: 10, seed: 1 });
  assert.deepEqual([run.wrong, run.operations, run.refused], [7, 10, 0]);
  assert.notEqual(operate(ledger(3), { operations: 10, seed: 1 }).hash, run.hash);
});
