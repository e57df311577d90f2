import {
  FAILED_OUTCOMES,
  FIRST_TOKEN_BOUNDS_SECONDS,
  JUDGED_OUTCOMES,
  type AlertCounters,
  type JudgedOutcome,
} from "../api/alert-counters.ts";
import { ALERT_RULES, type AlertCondition, type AlertGauge, type AlertRule } from "../api/alert-rules.ts";
import type { MonotonicMs } from "../base/ids.ts";
import { ratePerSecond, samplesWithin, type CounterSample, type Window } from "./counter-rate.ts";
import { histogramQuantile } from "./histogram-quantile.ts";

/** One alert of one service, as Prometheus keeps it. */
export type AlertState =
  | { readonly state: "inactive" }
  /** The condition holds, and not yet for long enough. */
  | { readonly state: "pending"; readonly activeSinceMs: MonotonicMs }
  | { readonly state: "firing"; readonly activeSinceMs: MonotonicMs; readonly firedAtMs: MonotonicMs }
  /** It fired, and its condition no longer holds: told for a while. */
  | { readonly state: "resolved"; readonly firedAtMs: MonotonicMs; readonly resolvedAtMs: MonotonicMs };

/** By the rule's name; one that is not in it is inactive. */
export type AlertStates = ReadonlyMap<string, AlertState>;

export interface ServiceSeries {
  /** One for each gateway, also one that has left: its last minute still counts. Oldest first. */
  readonly gateways: readonly (readonly CounterSample[])[];
  /** null = nobody has looked at the service yet. */
  readonly gauges: Readonly<Record<AlertGauge, boolean>> | null;
}

const RESOLVED_KEPT_MS = 900_000;
/** A metric that nobody said is gone counts as there for so long after its last sample: Prometheus' lookback. */
const LOOKBACK_MS = 300_000;

const isOfService = ({ condition }: AlertRule): boolean => condition.kind !== "gateway-absent";
const SERVICE_RULES = ALERT_RULES.filter(isOfService);
const PLATFORM_RULES = ALERT_RULES.filter((rule) => !isOfService(rule));

/** The rules of one service at `nowMs`, equal to what Prometheus makes of the same samples. Pure: a state is all that is kept. */
export const evaluateAlerts = (before: AlertStates, series: ServiceSeries, nowMs: MonotonicMs): AlertStates =>
  advanced(SERVICE_RULES, before, { nowMs, isActive: (condition) => isActive(condition, series, nowMs) });

/** The rules that are of no service. @param heardAtMs of the gateways that are there, the newest sample; null = none is there. */
export const evaluatePlatformAlerts = (before: AlertStates, heardAtMs: MonotonicMs | null, nowMs: MonotonicMs): AlertStates =>
  advanced(PLATFORM_RULES, before, { nowMs, isActive: () => heardAtMs === null || nowMs - heardAtMs > LOOKBACK_MS });

/** Those that fire, in the order of the rules. */
export const firingAlerts = (states: AlertStates): readonly AlertRule[] =>
  ALERT_RULES.filter((rule) => states.get(rule.name)?.state === "firing");

function advanced(
  rules: readonly AlertRule[],
  before: AlertStates,
  look: { readonly nowMs: MonotonicMs; isActive(condition: AlertCondition): boolean },
): AlertStates {
  return new Map(
    rules.map((rule) => {
      const state = before.get(rule.name) ?? INACTIVE;
      return [rule.name, look.isActive(rule.condition) ? whileActive(state, rule, look.nowMs) : whileQuiet(state, look.nowMs)];
    }),
  );
}

const INACTIVE: AlertState = { state: "inactive" };

function whileActive(before: AlertState, { forMs }: AlertRule, nowMs: MonotonicMs): AlertState {
  if (before.state === "firing") return before;
  const activeSinceMs = before.state === "pending" ? before.activeSinceMs : nowMs;
  return nowMs - activeSinceMs >= forMs ? { state: "firing", activeSinceMs, firedAtMs: nowMs } : { state: "pending", activeSinceMs };
}

function whileQuiet(before: AlertState, nowMs: MonotonicMs): AlertState {
  switch (before.state) {
    case "firing":
      return { state: "resolved", firedAtMs: before.firedAtMs, resolvedAtMs: nowMs };
    case "resolved":
      return nowMs - before.resolvedAtMs > RESOLVED_KEPT_MS ? INACTIVE : before;
    case "pending":
    case "inactive":
      return INACTIVE;
  }
}

function isActive(condition: AlertCondition, { gateways, gauges }: ServiceSeries, nowMs: MonotonicMs): boolean {
  switch (condition.kind) {
    case "failed-ratio-over": {
      const rates = ratesIn(gateways, { endMs: nowMs, windowMs: condition.windowMs });
      const failed = rates(FAILED);
      // Most of the time, and then the rest need not be counted. Nothing failed of nothing is over no ratio either.
      if (failed === null || failed === 0) return false;
      const judged = rates(JUDGED);
      return judged !== null && failed / judged > condition.ratio && judged > condition.requestsPerSecondMin;
    }
    case "first-token-over": {
      const rates = ratesIn(gateways, { endMs: nowMs, windowMs: condition.windowMs });
      // Most of the time all are within the limit, and then the buckets below it need not be counted.
      if (isAllWithin(condition.seconds, rates)) return false;
      const within = FIRST_TOKENS.map((counterOf) => rates([counterOf]) ?? 0);
      const seconds = histogramQuantile(condition.quantile, within, FIRST_TOKEN_BOUNDS_SECONDS);
      return seconds !== null && seconds > condition.seconds;
    }
    case "gauge-set":
      return gauges !== null && gauges[condition.gauge];
    case "gateway-absent":
      return false;
  }
}

type CounterOf = (counters: AlertCounters) => number;
/** Sums of rates; null = nothing is known. */
type Rates = (counters: readonly CounterOf[]) => number | null;

function isAllWithin(seconds: number, rates: Rates): boolean {
  const at = FIRST_TOKEN_BOUNDS_SECONDS.findLastIndex((bound) => bound <= seconds);
  return rates(FIRST_TOKENS.slice(at, at + 1)) === rates(FIRST_TOKENS.slice(-1));
}

const outcomeOf =
  (outcome: JudgedOutcome): CounterOf =>
  (counters) =>
    counters.outcomes[outcome];
const FAILED = FAILED_OUTCOMES.map(outcomeOf);
const JUDGED = JUDGED_OUTCOMES.map(outcomeOf);
const FIRST_TOKENS = Array.from(
  { length: FIRST_TOKEN_BOUNDS_SECONDS.length + 1 },
  (_none, at): CounterOf =>
    (counters) =>
      counters.firstTokens[at] ?? 0,
);

/** Sums over all gateways, each counter on its own: one that began anew must not hide in a sum. null = no gateway tells enough. */
function ratesIn(gateways: ServiceSeries["gateways"], window: Window): Rates {
  const within = gateways.map((samples) => samplesWithin(samples, window));
  return (counters) => {
    let sum: number | null = null;
    for (const samples of within) {
      for (const counterOf of counters) {
        const rate = ratePerSecond(samples, counterOf, window);
        if (rate !== null) sum = (sum ?? 0) + rate;
      }
    }
    return sum;
  };
}
