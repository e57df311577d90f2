import { test } from "node:test";
import assert from "node:assert/strict";
import { NO_CLOCK, type FailoverRecord } from "../api/failover-record.ts";
import { epoch, serviceName } from "../base/ids.ts";
import { judgeScenario, type Evidence } from "./judge-scenario.ts";
import { parseScenario } from "./parse-scenario.ts";
import type { Scenario } from "./scenario.ts";
import type { ScenarioReport } from "./scenario-report.ts";
import type { WorldRequest } from "./world-client.ts";

const request = (id: number, changes: Partial<WorldRequest> = {}): WorldRequest => ({
  id,
  ask: "tide",
  prompt: "tide",
  tokensMax: 4,
  isStream: true,
  startedAtMs: 100 * id,
  firstByteAtMs: 100 * id + 40,
  endedAtMs: 100 * id + 90,
  outcome: "complete",
  text: "in and out",
  servedFrom: "hot",
  retryAfter: null,
  answerIds: ["chatcmpl-1"],
  ...changes,
});

const record: FailoverRecord = {
  name: "gold-2",
  service: serviceName("gold"),
  action: "failover",
  from: "hot",
  to: "warm",
  cause: "engine-crash",
  requestedBy: "automatic",
  status: {
    phase: "Completed",
    epoch: epoch(2),
    clock: { ...NO_CLOCK, fault: "2026-01-01T00:00:01.000Z", decided: "2026-01-01T00:00:01.012Z", routed: "2026-01-01T00:00:01.020Z" },
    rtoMs: 40,
    capacityRtoMs: null,
    mttrrMs: null,
    affected: { requests: 1, lost: 0 },
    reason: "",
  },
};

const evidence: Evidence = {
  requests: new Map([["gold", [1, 2, 3, 4, 5].map((id) => request(id))]]),
  seen: new Map([
    ["gold", { rungs: ["hot", "warm"], phases: new Set(["Normal", "Shifting"]), conditions: new Set(["Ready"]), wasWoken: true }],
  ]),
  records: [record],
  fromMs: 100,
  loadEndsAtMs: 600,
  wholeAfterMs: null,
  notWhole: "gold is on warm",
  troubles: [],
};

function scenarioOf(...lines: readonly string[]): Scenario {
  const parsed = parseScenario(`use gold tier gold hot 1 warm 1 asleep\nload gold 10/s\nrun 10s\n${lines.join("\n")}\n`);
  assert.ok(parsed.ok);
  return parsed.value;
}

const judge = (scenario: Scenario, changes: Partial<Evidence> = {}): ScenarioReport =>
  judgeScenario(scenario, { ...evidence, ...changes }, { name: "story", world: "simulator" });

const ending = (outcome: WorldRequest["outcome"], text = ""): Partial<Evidence> => ({
  requests: new Map([["gold", [request(1), request(2, { outcome, text })]]]),
});

const cases: readonly { readonly expected: string; readonly given?: Partial<Evidence>; readonly found: string | null }[] = [
  { expected: "no lost", found: null },
  { expected: "no lost", given: { requests: new Map() }, found: "nothing was answered" },
  { expected: "no lost", given: ending("refused"), found: "1 refused" },
  { expected: "no lost but refused", given: ending("refused"), found: null },
  { expected: "no lost but refused", given: ending("error-event"), found: "1 error-events" },
  { expected: "no lost but error-events refused broken", given: ending("open"), found: "1 unended" },
  { expected: "no lost but error-events refused broken", given: ending("complete", "out and in"), found: "1 wrong" },
  { expected: "some broken", found: "none" },
  { expected: "some broken", given: ending("broken"), found: null },
  { expected: "rungs gold hot warm", found: null },
  { expected: "rungs gold hot warm hot", found: "hot warm" },
  { expected: "recovery gold <= 110ms", found: null },
  { expected: "recovery gold <= 30ms", found: "50 ms" },
  { expected: "recovery gold <= 300ms", given: ending("broken"), found: "410 ms" },
  { expected: "wait gold <= 40ms", found: null },
  { expected: "wait gold <= 39ms", found: "40 ms" },
  {
    expected: "wait gold <= 1s",
    given: { requests: new Map([["gold", [request(1, { isStream: false })]]]) },
    found: "no stream was complete",
  },
  { expected: "whole within 1s", found: "gold is on warm" },
  { expected: "whole within 1s", given: { notWhole: null }, found: null },
  { expected: "failovers gold 1", found: null },
  { expected: "failovers gold 0", found: "1" },
  { expected: "failovers gold 0", given: { records: [{ ...record, requestedBy: "operator" }] }, found: null },
  { expected: "asleep gold", found: "it was woken" },
  { expected: "phase gold Shifting", found: null },
  { expected: "phase gold Hold", found: "Normal, Shifting" },
  { expected: "condition gold Ready", found: null },
  { expected: "condition gold Held", found: "only Ready" },
];

for (const { expected, given, found } of cases) {
  test(`"${expected}" ${found === null ? "holds" : `fails with "${found}"`}${given === undefined ? "" : `, given other ${Object.keys(given).join()}`}`, () => {
    const { unmet, verdict, isAsStated } = judge(scenarioOf(`expect ${expected}`), given);
    assert.deepEqual(unmet, found === null ? [] : [{ expected, planted: null, found }]);
    assert.deepEqual([verdict, isAsStated], found === null ? ["pass", true] : ["fail", false]);
  });
}

test("a planted bug that breaks its expectation, and no other, is as stated", () => {
  const { verdict, isAsStated, unmet } = judge(scenarioOf("expect no lost", "planted strict: wait gold <= 1ms"));
  assert.deepEqual([verdict, isAsStated, unmet.map(({ planted }) => planted)], ["fail", true, ["strict"]]);
});

test("a planted bug that nobody notices is not as stated, nor is one that breaks more", () => {
  assert.deepEqual(judge(scenarioOf("planted strict: wait gold <= 1s")).isAsStated, false);
  assert.deepEqual(judge(scenarioOf("expect failovers gold 0", "planted strict: wait gold <= 1ms")).isAsStated, false);
});

test("what must never be makes a run fail, whatever is expected", () => {
  const troubles = [{ expected: "nothing is left open", planted: null, found: "1 connections" }];
  const { verdict, isAsStated } = judge(scenarioOf("expect no lost"), { troubles });
  assert.deepEqual([verdict, isAsStated], ["fail", false]);
});

test("a revision that is set while it runs may answer in its own way, and no third way is right", () => {
  const texts = (...all: readonly string[]): Partial<Evidence> => ({
    requests: new Map([["gold", all.map((text, index) => request(index + 1, { text }))]]),
  });
  const rollout = scenarioOf("at 1s set gold revision r2", "expect no lost");
  assert.equal(judge(rollout, texts("old", "new", "old", "new")).verdict, "pass");
  assert.equal(judge(rollout, texts("old", "new", "other")).outcomes.wrong, 1);
});

test("the phases of a move count from its fault", () => {
  const [service] = judge(scenarioOf("expect no lost")).services;
  assert.deepEqual(service?.moves[0]?.phasesMs, {
    detected: null,
    decided: 12,
    targetReady: null,
    routed: 20,
    firstGoodToken: null,
    redundant: null,
  });
});
