import assert from "node:assert/strict";
import { test } from "node:test";
import { ALERT_RULES, expressionOf } from "../../api/alert-rules.ts";
import { NO_CLOCK, type FailoverRecordStatus, type RecordAction } from "../../api/failover-record.ts";
import { failoverRecordSpec, failoverRecordStatusJson } from "../../api/parse-failover-record.ts";
import { parseServiceStatus } from "../../api/parse-service-status.ts";
import type { Resource } from "../../api/resource.ts";
import { NO_BURN } from "../../api/service-status.ts";
import { serviceName, uid, wallMs } from "../../base/ids.ts";
import { createRegistry } from "../../base/metric.ts";
import { createGatewayMetrics } from "../../gateway/gateway-metrics.ts";
import { renderPrometheus } from "../../wire/prometheus-text.ts";
import { addAlertStates, addLadderState, createMoveCounts, mergeFamilies, type MoveCounts } from "./ladder-metrics.ts";

const STARTED_AT = wallMs(1_000_000);
const at = (offsetMs: number): string => new Date(STARTED_AT + offsetMs).toISOString();

interface Given {
  readonly name: string;
  readonly action?: RecordAction;
  readonly cause?: string;
  readonly createdAtMs?: number;
  readonly status: Partial<FailoverRecordStatus> | null;
}
function record({ name, action = "failover", cause = "refused", createdAtMs = 5_000, status }: Given): Resource {
  const whole = { epoch: null, clock: NO_CLOCK, rtoMs: null, capacityRtoMs: null, mttrrMs: null, reason: "" };
  return {
    kind: "FailoverRecord",
    name,
    uid: uid(name),
    version: "1",
    generation: 1,
    createdAt: wallMs(STARTED_AT + createdAtMs),
    labels: {},
    annotations: {},
    spec: failoverRecordSpec({ service: serviceName("gold"), action, from: "hot", to: "warm", cause, requestedBy: "automatic" }),
    status:
      status === null ? null : failoverRecordStatusJson({ phase: "Running", ...whole, affected: { requests: 1, lost: 0 }, ...status }),
  };
}
const samplesOf = (counts: MoveCounts): readonly string[] =>
  renderPrometheus(counts)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#") && !line.includes("_bucket"));
const total = (count: number, cause = "refused"): string =>
  `tidegate_failovers_total{service="gold",from="hot",to="warm",cause="${cause}"} ${count}`;

test("a move is counted once, at its first look, and its times when it has ended", () => {
  const counts = createMoveCounts(STARTED_AT);
  counts.look([record({ name: "gold-2", status: {} })]);
  counts.look([record({ name: "gold-2", status: {} })]);
  assert.deepEqual(samplesOf(counts), [total(1)]);
  const clock = { ...NO_CLOCK, fault: at(0), detected: at(12), decided: at(-3), routed: at(40), redundant: at(2_000) };
  const ended = record({ name: "gold-2", status: { phase: "Completed", rtoMs: 212, clock } });
  counts.look([ended]);
  counts.look([ended]);
  assert.deepEqual(samplesOf(counts), [
    total(1),
    'tidegate_failover_phase_seconds_sum{service="gold",phase="detect"} 0.012',
    'tidegate_failover_phase_seconds_count{service="gold",phase="detect"} 1',
    'tidegate_failover_phase_seconds_sum{service="gold",phase="decide"} 0',
    'tidegate_failover_phase_seconds_count{service="gold",phase="decide"} 1',
    'tidegate_failover_phase_seconds_sum{service="gold",phase="route"} 0.04',
    'tidegate_failover_phase_seconds_count{service="gold",phase="route"} 1',
    'tidegate_failover_phase_seconds_sum{service="gold",phase="redundant"} 2',
    'tidegate_failover_phase_seconds_count{service="gold",phase="redundant"} 1',
    'tidegate_failover_duration_seconds_sum{service="gold",from="hot",to="warm"} 0.212',
    'tidegate_failover_duration_seconds_count{service="gold",from="hot",to="warm"} 1',
  ]);
});

test("the count of moves never falls when old records are removed", () => {
  const counts = createMoveCounts(STARTED_AT);
  counts.look([record({ name: "gold-2", status: {} }), record({ name: "gold-3", status: {} })]);
  counts.look([record({ name: "gold-3", status: {} }), record({ name: "gold-4", status: {} })]);
  assert.deepEqual(samplesOf(counts), [total(3)]);
});

test("what was not moved by this process is not counted: requests, refusals, advice, resumes, records of a process before", () => {
  const counts = createMoveCounts(STARTED_AT);
  counts.look([
    record({ name: "a", status: null }),
    record({ name: "b", status: { phase: "Requested" } }),
    record({ name: "c", status: { phase: "Refused" } }),
    record({ name: "d", status: { phase: "Advised" } }),
    record({ name: "e", action: "resume", status: { phase: "Completed" } }),
    record({ name: "f", createdAtMs: -1, status: { phase: "Completed", rtoMs: 9 } }),
  ]);
  assert.deepEqual(samplesOf(counts), []);
});

test("a cause that is no short word is counted as other", () => {
  const counts = createMoveCounts(STARTED_AT);
  counts.look([record({ name: "gold-2", cause: 'exit by "SIGKILL" at 12:03', status: {} })]);
  assert.deepEqual(samplesOf(counts), [total(1, "other")]);
});

test("phase, hold, lost redundancy, a promise at risk and error budget of a service are on the page", () => {
  const [condition, spent, atRisk] = ["RedundancyLost", "ErrorBudgetSpent", "PromiseAtRisk"].map((type) => ({
    type,
    status: "True",
    reason: "R",
    message: "",
    lastTransitionTime: "",
  }));
  const status = parseServiceStatus({
    phase: "Hold",
    level: "warm",
    epoch: 4,
    revision: 1,
    observedGeneration: 1,
    instances: [],
    failovers: { inWindow: 3, max: 3, windowStart: null },
    rto: { targetMs: 5_000, lastMs: null, worstMs: null },
    knownAnswer: null,
    knownAnswerOf: null,
    quarantined: [],
    history: [],
    errorBudget: { windowStart: at(0), burnedMs: 260_500, lateCount: 2, last: null },
    conditions: [condition, spent, atRisk],
  });
  assert.ok(status.ok);
  const registry = createRegistry();
  const calm = {
    ...status.value,
    phase: "Normal" as const,
    failovers: { inWindow: 2, max: 3, windowStart: null },
    errorBudget: NO_BURN,
    conditions: atRisk === undefined ? [] : [{ ...atRisk, status: "Unknown" as const }],
  };
  addLadderState(registry, [
    { name: "gold", status: status.value },
    { name: "calm", status: calm },
  ]);
  const page = renderPrometheus(registry);
  assert.match(page, /tidegate_service_phase\{service="gold",phase="Hold"\} 1\n/);
  assert.match(page, /tidegate_service_phase\{service="gold",phase="Normal"\} 0\n/);
  assert.match(page, /tidegate_service_hold\{service="gold"\} 1\ntidegate_service_hold\{service="calm"\} 0\n/);
  assert.match(
    page,
    /tidegate_error_budget_burned_seconds\{service="gold"\} 260.5\ntidegate_error_budget_burned_seconds\{service="calm"\} 0\n/,
  );
  assert.match(page, /tidegate_error_budget_spent\{service="gold"\} 1\ntidegate_error_budget_spent\{service="calm"\} 0\n/);
  assert.match(page, /tidegate_redundancy_lost\{service="gold"\} 1\ntidegate_redundancy_lost\{service="calm"\} 0\n/);
  assert.match(page, /tidegate_promise_at_risk\{service="gold"\} 1\ntidegate_promise_at_risk\{service="calm"\} 0\n/);
});

test("alerts are on the page by service, those of the platform without one", () => {
  const registry = createRegistry();
  addAlertStates(registry, [
    { service: serviceName("gold"), alert: "TidegateHeld", state: "firing" },
    { service: serviceName("gold"), alert: "TidegateErrorRatioHigh", state: "pending" },
    { service: null, alert: "TidegateGatewayAbsent", state: "resolved" },
  ]);
  const page = renderPrometheus(registry);
  assert.match(page, /tidegate_alert_state\{service="gold",alert="TidegateHeld"\} 2\n/);
  assert.match(page, /tidegate_alert_state\{service="gold",alert="TidegateErrorRatioHigh"\} 1\n/);
  assert.match(page, /tidegate_alert_state\{service="",alert="TidegateGatewayAbsent"\} 0\n/);
});

test("every metric that an alert rule asks for is exported, with the labels that the rule groups by", () => {
  const registry = createRegistry();
  addLadderState(registry, []);
  const exported = mergeFamilies(createGatewayMetrics().registry.families(), registry.families());
  const asked = ALERT_RULES.flatMap(({ condition }) => {
    const text = expressionOf(condition);
    const labels = [...text.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(", ")).filter((label) => label !== "le");
    return [...text.matchAll(/tidegate_\w+/g)].map(([name]) => ({ name: name.replace(/_bucket$/, ""), labels }));
  });
  assert.equal(new Set(asked.map(({ name }) => name)).size, 5);
  for (const { name, labels } of asked) {
    const family = exported.find((candidate) => candidate.name === name);
    assert.ok(family !== undefined, name);
    assert.deepEqual(
      labels.filter((label) => !family.labelNames.includes(label)),
      [],
      name,
    );
  }
});

test("a family of two registries stands once on the page, with the series of both", () => {
  const [one, other] = [createRegistry(), createRegistry()];
  one.gauge("a", "A.", ["x"]).with("1").set(1);
  other.gauge("a", "A.", ["x"]).with("2").set(2);
  const page = renderPrometheus({ families: () => mergeFamilies(one.families(), other.families()) });
  assert.equal(page.match(/# TYPE a gauge/g)?.length, 1);
  assert.equal(page.match(/# TYPE tidegate_metric_label_overflow_total/g)?.length, 1);
  assert.match(page, /a\{x="1"\} 1\na\{x="2"\} 2\n/);
});
