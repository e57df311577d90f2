import assert from "node:assert/strict";
import { test } from "node:test";
import { formatViolation } from "./checker.ts";
import { runLadderScenario, scheduleOf } from "./ladder-scenario.ts";

const LOAD = { loadMs: 8_000, requestsPerSecond: 4 } as const;

test("in 20 simulated worlds of ladders, whatever happens to them, no promise breaks and all is whole again", async () => {
  const events = new Set<string>();
  let completeCount = 0;
  for (let seed = 1; seed <= 20; seed += 1) {
    const report = await runLadderScenario({ ...LOAD, seed });
    assert.deepEqual(report.violations.map(formatViolation), [], `npm run sim -- --fault ladder --seconds 8 --seed ${seed}`);
    for (const { className } of report.events) events.add(className);
    completeCount += report.outcomes.complete;
  }
  assert.ok(events.size >= 20 && completeCount > 1_000, `${[...events].join(", ")}; ${completeCount} complete`);
});

test("one seed gives one history of the ladders, to the byte", async () => {
  const [first, again, other] = [
    await runLadderScenario({ ...LOAD, seed: 7, isLogKept: true }),
    await runLadderScenario({ ...LOAD, seed: 7, isLogKept: true }),
    await runLadderScenario({ ...LOAD, seed: 8, isLogKept: true }),
  ];
  assert.ok(first.log.length > 100_000);
  assert.ok(first.log === again.log, "the same seed");
  assert.ok(first.log !== other.log, "another seed");
  assert.match(first.hash, /^[0-9a-f]{16}$/);
  assert.equal(first.hash, again.hash);
  assert.notEqual(first.hash, other.hash);
  const unkept = await runLadderScenario({ ...LOAD, seed: 7 });
  assert.deepEqual([unkept.hash, unkept.log], [first.hash, ""], "kept or not");
});

test("while only the store fails and whole processes stand still, every request of every tenant completes, at one gateway or at three", async () => {
  const load = { loadMs: 40_000, requestsPerSecond: 4 };
  const classes = new Map<string, number>();
  for (let seed = 1; seed <= 12; seed += 1) {
    const harmless = scheduleOf({ ...load, seed }).filter(({ event: { kind } }) => kind === "store-fault" || kind === "pause");
    const events = harmless.map(({ index }) => index);
    const { violations, outcomes } = await runLadderScenario({ ...load, seed, events });
    assert.deepEqual(violations.map(formatViolation), [], `npm run sim -- --seconds 40 --seed ${seed} --events ${events.join(",")}`);
    const { complete, ...others } = outcomes;
    assert.ok(complete > 300, `${complete} complete`);
    assert.deepEqual(others, { open: 0, refused: 0, "error-event": 0, broken: 0, left: 0 }, `seed ${seed}`);
    for (const { className } of harmless) classes.set(className, (classes.get(className) ?? 0) + 1);
  }
  assert.deepEqual([...classes.keys()].toSorted(), [
    "control-plane-paused",
    "gateway-paused",
    "store-away",
    "store-conflicts",
    "store-full",
    "store-slow",
    "store-watch-cut",
  ]);
});
