import { test } from "node:test";
import assert from "node:assert/strict";
import { compareReports, TOLERANCE } from "./compare-reports.ts";
import type { MoveReport, ScenarioReport } from "./scenario-report.ts";

const move: MoveReport = {
  action: "failover",
  from: "hot",
  to: "warm",
  cause: "engine-crash",
  requestedBy: "automatic",
  phase: "Completed",
  phasesMs: { detected: 2, decided: 12, targetReady: 340, routed: 20, firstGoodToken: 400, redundant: 4_000 },
};
const report: ScenarioReport = {
  name: "story",
  world: "simulator",
  verdict: "pass",
  isAsStated: true,
  unmet: [],
  outcomes: { complete: 95, refused: 0, "error-events": 5, broken: 0, wrong: 0, unended: 0 },
  services: [{ name: "gold", rungs: ["hot", "warm"], moves: [move], longestPauseMs: 300, longestWaitMs: 350 }],
  wholeAfterMs: 900,
};
const [service] = report.services;
assert.ok(service !== undefined);

const withMove = (changes: Partial<MoveReport>): ScenarioReport => ({
  ...report,
  services: [{ ...service, moves: [{ ...move, ...changes }] }],
});
const withPhase = (changes: Partial<MoveReport["phasesMs"]>): ScenarioReport => withMove({ phasesMs: { ...move.phasesMs, ...changes } });

const cases: readonly { readonly name: string; readonly real: ScenarioReport; readonly says: readonly string[] }[] = [
  { name: "equal reports", real: report, says: [] },
  { name: "a verdict", real: { ...report, verdict: "fail" }, says: ["verdict: pass in the simulator, fail for real"] },
  {
    name: "what is not met",
    real: { ...report, unmet: [{ expected: "no lost", planted: null, found: "1 broken" }] },
    says: ["not met: nothing in the simulator, no lost for real"],
  },
  { name: "a few more cut streams", real: { ...report, outcomes: { ...report.outcomes, complete: 90, "error-events": 10 } }, says: [] },
  {
    name: "many refused",
    real: { ...report, outcomes: { ...report.outcomes, complete: 75, refused: 20 } },
    says: [
      "complete: 95.0 % of the requests in the simulator, 75.0 % for real",
      "refused: 0.0 % of the requests in the simulator, 20.0 % for real",
    ],
  },
  {
    name: "other rungs",
    real: { ...report, services: [{ ...service, rungs: ["hot", "cold"] }] },
    says: ["gold, rungs: hot > warm in the simulator, hot > cold for real"],
  },
  {
    name: "another move",
    real: withMove({ to: "cold" }),
    says: ["gold, moves: failover hot > warm in the simulator, failover hot > cold for real"],
  },
  { name: "a phase within the tolerance", real: withPhase({ targetReady: 340 + TOLERANCE.phaseMs, redundant: 7_900 }), says: [] },
  {
    name: "a phase beyond it",
    real: withPhase({ targetReady: 341 + TOLERANCE.phaseMs }),
    says: [`gold, hot > warm, targetReady: 340 ms in the simulator, ${341 + TOLERANCE.phaseMs} ms for real`],
  },
  {
    name: "a phase that one never reached",
    real: withPhase({ redundant: null }),
    says: ["gold, hot > warm, redundant: 4000 ms in the simulator, never for real"],
  },
  { name: "a loss that met no request in one world", real: withPhase({ detected: null, firstGoodToken: null }), says: [] },
  { name: "a service that is gone", real: { ...report, services: [] }, says: ["gold: not there for real"] },
];

for (const { name, real, says } of cases) {
  test(`two worlds that differ in ${name} say so`, () => {
    assert.deepEqual(compareReports(report, real), says);
  });
}
