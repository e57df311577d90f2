import { test } from "node:test";
import assert from "node:assert/strict";
import { runFaultScenario, SCENARIO_FAULTS } from "./fault-scenario.ts";

const LOAD = { loadMs: 3_000, requestsPerSecond: 20 } as const;

test("in 20 simulated worlds a killed engine costs nobody an answer without a word, and comes back", async () => {
  let completeCount = 0;
  let ejectedCount = 0;
  for (let seed = 1; seed <= 20; seed += 1) {
    const { violations, outcomes, log } = await runFaultScenario({ ...LOAD, seed, fault: "kill", isControlPlaneAway: false });
    assert.deepEqual(violations, [], `npm run sim -- --seed=${seed}`);
    assert.equal(outcomes["error-event"], 0, "its streams go on elsewhere");
    if (log.includes('"event":"gateway.ejected"')) ejectedCount += 1;
    completeCount += outcomes.complete;
  }
  // The load must be there, and the kill must meet some of it.
  assert.ok(completeCount > 600 && ejectedCount > 5, `${completeCount} complete, missed in ${ejectedCount} worlds`);
});

for (const fault of SCENARIO_FAULTS) {
  for (const isControlPlaneAway of [false, true]) {
    const when = isControlPlaneAway ? "while the control plane is away" : "under a control plane";
    test(`a simulated ${fault} of an engine ${when} breaks no promise`, async () => {
      for (let seed = 101; seed <= 103; seed += 1) {
        const { violations } = await runFaultScenario({ ...LOAD, seed, fault, isControlPlaneAway });
        assert.deepEqual(
          violations,
          [],
          `npm run sim -- --seed=${seed} --fault=${fault}${isControlPlaneAway ? " --without-control-plane" : ""}`,
        );
      }
    });
  }
}

test("an engine that a gateway ejects long before the control plane is back is restarted all the same", async () => {
  const { violations } = await runFaultScenario({ ...LOAD, loadMs: 10_000, seed: 3, fault: "hang", isControlPlaneAway: true });
  assert.deepEqual(violations, []);
});

test("one seed gives one history of the whole platform, to the byte", async () => {
  const run = (seed: number) => runFaultScenario({ ...LOAD, seed, fault: "hang", isControlPlaneAway: true });
  const [first, again, other] = [await run(7), await run(7), await run(8)];
  assert.ok(first.log.length > 100_000);
  assert.ok(first.log === again.log, "the same seed");
  assert.ok(first.log !== other.log, "another seed");
});
