import type { MonotonicMs } from "../base/ids.ts";

/**
 * So long an endpoint that came back takes less than its share. Its prefix cache is empty and its kernels may not be compiled: some tens of batches
 * warm both, and whoever fails again does so before it has everything.
 */
export const SLOW_START_MS = 10_000;
/** Enough to warm it, and to see whether it is well. */
export const SLOW_START_RATIO_MIN = 0.1;
/** Of an endpoint that answers badly and stays in: enough to see it get well, and half of what may be tried again when it does not. */
export const DOUBTED_RATIO = 0.05;

/**
 * 0..1: the part of its weight that an endpoint takes, risen in a line since it came back. A ratio between neighbours: who is alone takes everything.
 * @param returnedAt null = it has been there as long as its table.
 */
export function slowStartRatio(returnedAt: MonotonicMs | null, now: MonotonicMs): number {
  if (returnedAt === null) return 1;
  const risen = Math.max(0, now - returnedAt) / SLOW_START_MS;
  return Math.min(1, SLOW_START_RATIO_MIN + (1 - SLOW_START_RATIO_MIN) * risen);
}
