import type { WallMs } from "../base/ids.ts";
import { formatWall, parseWall } from "../base/time.ts";
import type { FailoverPolicy } from "../api/hot-standby-config.ts";
import type { ServiceStatus } from "../api/service-status.ts";

type Count = ServiceStatus["failovers"];

/** The count as it stands now: a window that is over counts nothing. The window is fixed: it begins with the first move that it counts. */
export function budgetAt(count: Count, policy: FailoverPolicy, nowMs: WallMs): Count {
  const max = policy.maxFailoverCount;
  const endsMs = windowEndMs(count, policy);
  return endsMs === null || nowMs >= endsMs ? { inWindow: 0, max, windowStart: null } : { ...count, max };
}

/** @returns null when no window runs. */
export function windowEndMs(count: Count, policy: FailoverPolicy): number | null {
  const startMs = count.windowStart === null ? null : parseWall(count.windowStart);
  return startMs === null ? null : startMs + policy.windowMs;
}

export const countMove = (count: Count, nowMs: WallMs): Count => ({
  ...count,
  inWindow: count.inWindow + 1,
  windowStart: count.windowStart ?? formatWall(nowMs),
});

/** Why nothing may be activated without an operator; null = it may. */
export function whyHeld(count: Count, policy: FailoverPolicy): string | null {
  if (!policy.isAutomatic) return "autoFailover is false, so it only advises";
  if (count.inWindow < count.max) return null;
  if (count.windowStart === null) return `Hold, maxFailoverCount is ${count.max}`;
  return `Hold, ${count.inWindow} of ${count.max} moves since ${count.windowStart}`;
}
