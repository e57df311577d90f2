import { test } from "node:test";
import assert from "node:assert/strict";
import { ALERT_RULES, expressionOf } from "../api/alert-rules.ts";
import { monotonicMs, type MonotonicMs } from "../base/ids.ts";
import { evaluateAlerts, evaluatePlatformAlerts, firingAlerts, type AlertStates } from "./evaluate-alerts.ts";
import { playPhases, QUIET, samplesUntil, type Phase, type Step } from "./fake-alert-series.ts";

const HEALTHY: Phase = { ...QUIET, ok: 10, fastTokens: 10 };
const phases = (...given: readonly (readonly [number, Partial<Phase>])[]): readonly Step[] =>
  playPhases(
    given.map(([stepCount, more]) => ({ ...HEALTHY, ...more, stepCount })),
    1_000,
  );

/** Second by second: each change of one alert's state, with the second that it was seen at. */
function changes(alert: string, ...gateways: readonly (readonly Step[])[]): readonly string[] {
  const seen: string[] = [];
  let states: AlertStates = new Map();
  for (const { atMs } of gateways[0] ?? []) {
    const before = states.get(alert)?.state ?? "inactive";
    states = evaluateAlerts(states, { gateways: gateways.map((steps) => samplesUntil(steps, atMs)), gauges: null }, atMs);
    const now = states.get(alert)?.state ?? "inactive";
    if (now !== before) seen.push(`${atMs / 1_000} s ${now}`);
  }
  return seen;
}
const RATIO = "TidegateErrorRatioHigh";
const SLOW = "TidegateFirstTokenSlow";

const cases: readonly {
  readonly name: string;
  readonly alert: string;
  readonly given: readonly Step[];
  readonly seen: readonly string[];
}[] = [
  {
    name: "every second request failing fires a minute after the ratio is over 5 %, and is over when the window has only good ones",
    alert: RATIO,
    given: phases([120, {}], [120, { ok: 10, failed: 10 }], [120, {}]),
    // Of the last minute four seconds: 40 of 640 requests.
    seen: ["123 s pending", "183 s firing", "296 s resolved"],
  },
  { name: "one in twenty-one failing is not over 5 %", alert: RATIO, given: phases([300, { ok: 20, failed: 1 }]), seen: [] },
  {
    name: "one in nineteen failing is over 5 %",
    alert: RATIO,
    given: phases([70, { ok: 0 }], [90, { ok: 18, failed: 1 }]),
    seen: ["70 s pending", "130 s firing"],
  },
  {
    name: "a second in which all fail is out of the window before it could fire",
    alert: RATIO,
    given: phases([120, {}], [1, { ok: 0, failed: 600 }], [240, {}]),
    seen: ["120 s pending", "180 s inactive"],
  },
  {
    name: "five failures a minute and nothing else are too few to judge",
    alert: RATIO,
    given: playPhases([{ ...QUIET, stepCount: 40, ok: 0, failed: 1 }], 12_000),
    seen: [],
  },
  {
    name: "a gateway that starts anew in the middle of an outage hides nothing of it",
    alert: RATIO,
    given: phases([60, {}], [60, { ok: 0, failed: 20 }], [60, { ok: 0, failed: 20, isRestart: true }]),
    seen: ["61 s pending", "121 s firing"],
  },
  {
    name: "counters that begin anew at zero are no failures",
    alert: RATIO,
    given: phases([120, { failed: 0 }], [1, { ok: 0, isRestart: true }], [120, {}]),
    seen: [],
  },
  {
    name: "an alert of a gateway that tells nothing more ends with its last minute",
    alert: RATIO,
    given: phases([120, { ok: 0, failed: 10 }], [120, { scrape: "missing" }]),
    seen: ["1 s pending", "61 s firing", "179 s resolved"],
  },
  { name: "nothing told is no alert", alert: RATIO, given: phases([300, { scrape: "missing", failed: 10 }]), seen: [] },
  {
    name: "two first tokens in eleven over 2 s fire after two minutes",
    alert: SLOW,
    given: phases([240, { fastTokens: 9, slowTokens: 2 }], [90, {}]),
    seen: ["1 s pending", "121 s firing", "284 s resolved"],
  },
  {
    name: "one first token in twenty-five over 2 s is none of the slowest 5 %",
    alert: SLOW,
    given: phases([300, { fastTokens: 24, slowTokens: 1 }]),
    seen: [],
  },
];
for (const { name, alert, given, seen } of cases) test(name, () => assert.deepEqual(changes(alert, given), seen));

test("failures of one gateway are judged against the requests of all", () => {
  const failing = phases([300, { ok: 0, failed: 1 }]);
  assert.deepEqual(changes(RATIO, failing, phases([300, { ok: 30 }])), []);
  assert.deepEqual(changes(RATIO, failing, phases([300, { ok: 10 }])), ["2 s pending", "62 s firing"]);
});

const gaugesAt = (before: AlertStates, isHeld: boolean, isRedundancyLost: boolean, atMs: MonotonicMs): AlertStates =>
  evaluateAlerts(before, { gateways: [], gauges: { isHeld, isRedundancyLost } }, atMs);
const names = (states: AlertStates): readonly string[] => firingAlerts(states).map((rule) => rule.name);

test("Hold fires at once, lost redundancy when nothing brought it back for five minutes", () => {
  const first = gaugesAt(new Map(), true, true, monotonicMs(0));
  assert.deepEqual(names(first), ["TidegateHeld"]);
  const early = gaugesAt(first, false, true, monotonicMs(299_999));
  assert.deepEqual(names(early), []);
  assert.deepEqual(names(gaugesAt(early, false, true, monotonicMs(300_000))), ["TidegateRedundancyLost"]);
});

test("a resolved alert is told for a quarter of an hour, and a new one begins from the start", () => {
  const held = gaugesAt(new Map(), true, false, monotonicMs(0));
  const over = gaugesAt(held, false, false, monotonicMs(1_000));
  assert.deepEqual(over.get("TidegateHeld"), { state: "resolved", firedAtMs: 0, resolvedAtMs: 1_000 });
  assert.equal(gaugesAt(over, false, false, monotonicMs(901_000)).get("TidegateHeld")?.state, "resolved");
  assert.equal(gaugesAt(over, false, false, monotonicMs(901_001)).get("TidegateHeld")?.state, "inactive");
  assert.deepEqual(gaugesAt(over, true, false, monotonicMs(2_000)).get("TidegateHeld"), {
    state: "firing",
    activeSinceMs: 2_000,
    firedAtMs: 2_000,
  });
});

test("gateways that are gone fire after a minute, one that is only silent after five more", () => {
  const at = (before: AlertStates, heardAtMs: number | null, nowMs: number): AlertStates =>
    evaluatePlatformAlerts(before, heardAtMs === null ? null : monotonicMs(heardAtMs), monotonicMs(nowMs));
  const gone = at(new Map(), null, 10_000);
  assert.deepEqual([names(gone), names(at(gone, null, 69_999)), names(at(gone, null, 70_000))], [[], [], ["TidegateGatewayAbsent"]]);
  const silent = at(at(new Map(), 0, 300_000), 0, 300_001);
  assert.deepEqual(silent.get("TidegateGatewayAbsent"), { state: "pending", activeSinceMs: 300_001 });
});

test("5 % failing for a minute is critical and asks for a failover; first tokens over 2 s for two minutes warn, and ask for a wake at most", () => {
  const told = ALERT_RULES.filter((rule) => rule.action !== "none").map(({ name, forMs, severity, action }) => [
    name,
    forMs,
    severity,
    action,
  ]);
  assert.deepEqual(told, [
    [RATIO, 60_000, "critical", "failover"],
    [SLOW, 120_000, "warning", "pre-wake"],
  ]);
  const [ratio, slow] = ALERT_RULES.map((rule) => expressionOf(rule.condition));
  const failed = 'sum by (tenant, service) (rate(tidegate_requests_total{outcome=~"refused|upstream-error|stream-error"}[1m]))';
  const all = 'sum by (tenant, service) (rate(tidegate_requests_total{outcome=~"ok|refused|upstream-error|stream-error"}[1m]))';
  assert.equal(ratio, `${failed} / ${all} > 0.05 and ${all} > 0.1`);
  const buckets = "sum by (tenant, service, le) (rate(tidegate_time_to_first_token_seconds_bucket[1m]))";
  assert.equal(slow, `histogram_quantile(0.95, ${buckets}) > 2`);
});
