import type { MonotonicMs, ServiceName } from "../base/ids.ts";
import { formatDuration } from "../base/time.ts";

/** Services that lost the rung they stood on so close together that it is no chance: a zone, a rack, a bad rollout of something shared. */
export interface Storm {
  readonly lostCount: number;
  readonly serviceCount: number;
  /** When the last of them lost its rung. */
  readonly lastAtMs: MonotonicMs;
}

/** Losses with no longer break between them are one storm. */
export const STORM_GAP_MS = 10_000;
const LOST_MIN = 2;
/** Of all services: on a large platform two at once are chance. */
const LOST_SHARE_MIN = 0.25;
/** Nobody is kept from going back for longer by what happened to others. */
const CALM_AFTER_MAX_MS = 60_000;

/** @param losses when each service last lost its rung. @returns the latest storm among them; null = none. */
export function stormOf(losses: ReadonlyMap<ServiceName, MonotonicMs>, serviceCount: number): Storm | null {
  const times = [...losses.values()].toSorted((left, right) => right - left);
  let lostCount = 0;
  for (const [at, timeMs] of times.entries()) {
    lostCount += 1;
    const [firstMs, earlierMs] = [times[at - lostCount + 1], times[at + 1]];
    if (firstMs === undefined || (earlierMs !== undefined && timeMs - earlierMs <= STORM_GAP_MS)) continue;
    if (lostCount >= LOST_MIN && lostCount >= serviceCount * LOST_SHARE_MIN) return { lostCount, serviceCount, lastAtMs: firstMs };
    lostCount = 0;
  }
  return null;
}

/** Moves that nobody needs wait until the storm has been over for a soak; what a loss asks for never does. */
export function freezeBy(
  storm: Storm | null,
  { soakMs, nowMs }: { readonly soakMs: number; readonly nowMs: MonotonicMs },
): { readonly why: string; readonly leftMs: number } | null {
  if (storm === null) return null;
  const calmAfterMs = Math.min(soakMs, CALM_AFTER_MAX_MS);
  const leftMs = storm.lastAtMs + calmAfterMs - nowMs;
  if (leftMs <= 0) return null;
  const { lostCount, serviceCount } = storm;
  const why = `${lostCount} of ${serviceCount} services lost their rung at about one time: nothing is moved of free will until that is ${formatDuration(calmAfterMs)} ago.`;
  return { why, leftMs };
}
