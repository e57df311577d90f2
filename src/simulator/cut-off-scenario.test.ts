import assert from "node:assert/strict";
import { test } from "node:test";
import { runCutOffScenario } from "./cut-off-scenario.ts";

test("of several gateways the one that is cut off from all engines activates nothing while hot engines die, and the others do", async () => {
  let byOthers = 0;
  for (const seed of [1, 4, 5, 6, 8, 12]) {
    const report = await runCutOffScenario({ seed });
    assert.deepEqual(report.violations, [], `seed ${seed}`);
    assert.equal(report.counts["activations by the one cut off"], 0);
    byOthers += report.counts["activations by others"] ?? 0;
  }
  assert.ok(byOthers >= 5, `${byOthers} activations by others`);
});
