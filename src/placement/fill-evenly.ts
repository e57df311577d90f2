import { WHOLE_GPU_MILLI } from "./fleet-index.ts";

/** What is asked for of some of the pools, any of them. */
export interface Demand {
  /** Indexes of pools. */
  readonly choices: readonly number[];
  readonly milli: number;
}

/** A demand is spread over its pools in so many parts. */
const FILL_PARTS = 100;

/**
 * How much of each pool is taken when all demands are met, 0..1: each part goes to the least taken of its pools, and demands with fewer
 * pools to choose from go first.
 */
export function fillEvenly(demands: readonly Demand[], capacityMilli: readonly number[]): readonly number[] {
  const takenMilli = capacityMilli.map(() => 0);
  const ratio = (pool: number): number => (takenMilli[pool] ?? 0) / Math.max(WHOLE_GPU_MILLI, capacityMilli[pool] ?? 0);
  for (const { choices, milli } of demands.toSorted((left, right) => left.choices.length - right.choices.length))
    for (let part = 0; part < FILL_PARTS && choices.length > 0; part++) {
      const least = choices.reduce((best, pool) => (ratio(pool) < ratio(best) ? pool : best));
      takenMilli[least] = (takenMilli[least] ?? 0) + milli / FILL_PARTS;
    }
  return takenMilli.map((_, pool) => Math.min(1, ratio(pool)));
}
