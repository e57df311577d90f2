import { test } from "node:test";
import assert from "node:assert/strict";
import { runKillScenario } from "./kill-scenario.ts";

const SCENARIO = { loadMs: 3_000, requestsPerSecond: 20 } as const;

test("in 20 simulated worlds a killed engine costs nobody an answer without a word, and comes back", async () => {
  let cutCount = 0;
  let completeCount = 0;
  for (let seed = 1; seed <= 20; seed += 1) {
    const { violations, outcomes } = await runKillScenario({ ...SCENARIO, seed });
    assert.deepEqual(violations, [], `npm run sim -- --seed ${seed}`);
    cutCount += outcomes["error-event"];
    completeCount += outcomes.complete;
  }
  // The load must be there, and the kill must meet some of it.
  assert.ok(completeCount > 600 && cutCount > 5, `${completeCount} complete, ${cutCount} cut`);
});

test("one seed gives one history of the whole platform, to the byte", async () => {
  const first = await runKillScenario({ ...SCENARIO, seed: 7 });
  const again = await runKillScenario({ ...SCENARIO, seed: 7 });
  const other = await runKillScenario({ ...SCENARIO, seed: 8 });
  assert.ok(first.log.length > 100_000);
  assert.ok(first.log === again.log, "the same seed");
  assert.ok(first.log !== other.log, "another seed");
});
