import { FAILED_OUTCOMES, FIRST_TOKEN_BOUNDS_SECONDS, JUDGED_OUTCOMES, type AlertCounters } from "../api/alert-counters.ts";
import { monotonicMs, type MonotonicMs } from "../base/ids.ts";
import { sampleAfter, type CounterSample } from "./counter-rate.ts";
import type { FakeSample, FakeSeries } from "./fake-prometheus.ts";

// For tests: what a gateway counts in phases, as samples that it reports and as the series that Prometheus scrapes.

export interface Phase {
  readonly stepCount: number;
  /** missing = not scraped, nothing reported; gone = the gateway is known to have left. */
  readonly scrape: "told" | "missing" | "gone";
  /** Its counters begin anew. */
  readonly isRestart: boolean;
  /** At each step. */
  readonly ok: number;
  readonly failed: number;
  readonly fastTokens: number;
  readonly slowTokens: number;
}

export const QUIET: Phase = { stepCount: 1, scrape: "told", isRestart: false, ok: 0, failed: 0, fastTokens: 0, slowTokens: 0 };

export interface Step {
  readonly atMs: MonotonicMs;
  readonly scrape: Phase["scrape"];
  readonly counters: AlertCounters;
}

const FAST_SECONDS = 0.03;
/** In the bucket after 2 s, and beyond all. */
const SLOW_SECONDS = [2.5, 90] as const;

export function playPhases(phases: readonly Phase[], stepMs: number): readonly Step[] {
  const steps: Step[] = [];
  let counters = ZERO;
  for (const phase of phases) {
    if (phase.isRestart) counters = ZERO;
    for (let index = 0; index < phase.stepCount; index += 1) {
      counters = countStep(counters, phase, steps.length);
      steps.push({ atMs: monotonicMs(steps.length * stepMs), scrape: phase.scrape, counters });
    }
  }
  return steps;
}

export const ZERO: AlertCounters = {
  outcomes: { ok: 0, refused: 0, "upstream-error": 0, "stream-error": 0 },
  firstTokens: [...FIRST_TOKEN_BOUNDS_SECONDS, 0].map(() => 0),
};

function countStep({ outcomes, firstTokens }: AlertCounters, phase: Phase, number: number): AlertCounters {
  const failure = FAILED_OUTCOMES[number % FAILED_OUTCOMES.length] ?? "refused";
  const slowSeconds = SLOW_SECONDS[number % 2] ?? 0;
  const bounds = [...FIRST_TOKEN_BOUNDS_SECONDS, Number.POSITIVE_INFINITY];
  return {
    outcomes: { ...outcomes, ok: outcomes.ok + phase.ok, [failure]: outcomes[failure] + phase.failed },
    firstTokens: firstTokens.map((count, at) => {
      const bound = bounds[at] ?? 0;
      return count + (FAST_SECONDS <= bound ? phase.fastTokens : 0) + (slowSeconds <= bound ? phase.slowTokens : 0);
    }),
  };
}

export function samplesUntil(steps: readonly Step[], atMs: MonotonicMs): readonly CounterSample[] {
  const samples: CounterSample[] = [];
  for (const step of steps) {
    if (step.scrape === "told" && step.atMs <= atMs) samples.push(sampleAfter(samples.at(-1) ?? null, step.atMs, step.counters));
  }
  return samples;
}

/** When a gateway that is there was scraped last; null = it is not there. */
export function heardAt(steps: readonly Step[], atMs: MonotonicMs): MonotonicMs | null {
  const newest = steps.findLast((step) => step.scrape !== "missing" && step.atMs <= atMs);
  return newest === undefined || newest.scrape === "gone" ? null : newest.atMs;
}

/** The series of one gateway's page that the rules ask for, of the service `s`. */
export function scrapedSeries(steps: readonly Step[], instance: string): readonly FakeSeries[] {
  const of = (name: string, labels: Readonly<Record<string, string>>, valueOf: (counters: AlertCounters) => number): FakeSeries => ({
    name,
    labels: { ...labels, instance },
    samples: steps.flatMap((step, index): readonly FakeSample[] => {
      if (step.scrape === "told") return [{ atMs: step.atMs, value: valueOf(step.counters) }];
      const isMarked = step.scrape === "gone" && steps[index - 1]?.scrape !== "gone";
      return isMarked ? [{ atMs: step.atMs, value: null }] : [];
    }),
  });
  const service = { tenant: "t", service: "s" };
  return [
    of("tidegate_gateway_services", {}, () => 1),
    ...JUDGED_OUTCOMES.map((outcome) => of("tidegate_requests_total", { ...service, outcome }, ({ outcomes }) => outcomes[outcome])),
    ...[...FIRST_TOKEN_BOUNDS_SECONDS.map(String), "+Inf"].map((le, at) =>
      of("tidegate_time_to_first_token_seconds_bucket", { ...service, le }, ({ firstTokens }) => firstTokens[at] ?? 0),
    ),
  ];
}

/** One of the control plane's gauges, which is always scraped. */
export const gaugeSeries = (name: string, values: readonly boolean[], stepMs: number): FakeSeries => ({
  name,
  labels: { service: "s", instance: "control" },
  samples: values.map((isSet, index) => ({ atMs: index * stepMs, value: isSet ? 1 : 0 })),
});
