import { JUDGED_OUTCOMES, type AlertCounters } from "../api/alert-counters.ts";
import type { MonotonicMs } from "../base/ids.ts";

/** A gateway's counters of a service at one time. */
export interface CounterSample {
  readonly atMs: MonotonicMs;
  readonly counters: AlertCounters;
  /** The first sample since which no counter fell: those since then differ by what was counted. */
  readonly grownSinceMs: MonotonicMs;
}

/** @param before the sample before it of the same gateway; null = there is none. */
export function sampleAfter(before: CounterSample | null, atMs: MonotonicMs, counters: AlertCounters): CounterSample {
  const hasGrown = before !== null && !hasFallen(before.counters, counters);
  return { atMs, counters, grownSinceMs: hasGrown ? before.grownSinceMs : atMs };
}

const hasFallen = (before: AlertCounters, { outcomes, firstTokens }: AlertCounters): boolean =>
  JUDGED_OUTCOMES.some((outcome) => outcomes[outcome] < before.outcomes[outcome]) ||
  before.firstTokens.some((count, at) => (firstTokens[at] ?? 0) < count);

export interface Window {
  readonly endMs: MonotonicMs;
  readonly windowMs: number;
}

/** A gap of that share of the mean one, at an end of the window, is taken for the usual distance of samples. */
const NEAR_RATIO = 1.1;

/** Both ends belong to the window, as in Prometheus 2. @param samples oldest first. */
export function samplesWithin(samples: readonly CounterSample[], { endMs, windowMs }: Window): readonly CounterSample[] {
  const isEarly = ({ atMs }: CounterSample): boolean => atMs < endMs - windowMs;
  const from = samples.findIndex((sample) => !isEarly(sample));
  if (from < 0) return [];
  const to = samples.findLastIndex(({ atMs }) => atMs <= endMs) + 1;
  return from === 0 && to === samples.length ? samples : samples.slice(from, to);
}

/**
 * Prometheus' rate(): increase per second over the window. A counter that fell began anew at zero. The increase between the first and the
 * last sample is drawn out to the window's ends where they are near, else by half a step; never to before the counter was zero.
 * @param samples those within the window, oldest first.
 * @returns null = fewer than two samples: nothing is known.
 */
export function ratePerSecond(
  samples: readonly CounterSample[],
  valueOf: (counters: AlertCounters) => number,
  { endMs, windowMs }: Window,
): number | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || first === last) return null;
  const firstValue = valueOf(first.counters);
  const increase = increaseOf(samples, valueOf);
  const sampledSeconds = (last.atMs - first.atMs) / 1_000;
  const stepSeconds = sampledSeconds / (samples.length - 1);
  const toStartSeconds = (first.atMs - (endMs - windowMs)) / 1_000;
  const toZeroSeconds = increase > 0 ? sampledSeconds * (firstValue / increase) : toStartSeconds;
  const ends = [Math.min(toStartSeconds, toZeroSeconds), (endMs - last.atMs) / 1_000];
  let coveredSeconds = sampledSeconds;
  for (const gapSeconds of ends) coveredSeconds += gapSeconds < stepSeconds * NEAR_RATIO ? gapSeconds : stepSeconds / 2;
  return increase * (coveredSeconds / sampledSeconds / (windowMs / 1_000));
}

function increaseOf(samples: readonly CounterSample[], valueOf: (counters: AlertCounters) => number): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first !== undefined && last !== undefined && last.grownSinceMs <= first.atMs) return valueOf(last.counters) - valueOf(first.counters);
  let increase = 0;
  let before: number | null = null;
  for (const { counters } of samples) {
    const value = valueOf(counters);
    if (before !== null) increase += value < before ? value : value - before;
    before = value;
  }
  return increase;
}
