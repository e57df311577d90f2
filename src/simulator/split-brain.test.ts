import assert from "node:assert/strict";
import { test } from "node:test";
import { formatViolation } from "./checker.ts";
import { runSplitBrainScenario } from "./split-brain-scenario.ts";

test("a leader that stands still for 30 s and goes on does nothing any more, and nothing is done twice", async () => {
  let moves = 0;
  let refusals = 0;
  for (let seed = 1; seed <= 10; seed += 1) {
    const report = await runSplitBrainScenario(seed);
    assert.deepEqual(report.doubleActions, [], `seed ${seed}, stood ${report.stoodAt}`);
    assert.deepEqual(report.violations.map(formatViolation), [], `seed ${seed}, stood ${report.stoodAt}`);
    assert.equal(report.takeovers, 1, `seed ${seed}`);
    moves += report.movesMeanwhile;
    refusals += report.refusals.byItself + report.refusals.byReceivers + report.refusals.byGateways;
  }
  assert.ok(moves > 5 && refusals > 10, `${moves} moves by the new leader, ${refusals} late acts refused`);
});

test("one seed gives one history of a split brain", async () => {
  const [first, again] = [await runSplitBrainScenario(4), await runSplitBrainScenario(4)];
  assert.equal(first.hash, again.hash);
  assert.notEqual(first.hash, (await runSplitBrainScenario(5)).hash);
});
