import type { InstanceStatus } from "../api/service-status.ts";
import type { WallMs } from "../base/ids.ts";
import { parseWall } from "../base/time.ts";

/** So many within the time that they are remembered, and it is not started again before its config changes. */
const VIOLATIONS_MAX = 3;
/** Between the second one and its next start. */
const PAUSE_MS = 60_000;

/** How long it may not be started for what it did, and why; null = it may. Waits for a person where `forMs` is null. */
export function barredBy(
  { violations }: InstanceStatus,
  { wallMs }: { readonly wallMs: WallMs },
): { readonly forMs: number | null; readonly why: string } | null {
  if (violations === null || violations.count < 2) return null;
  const times = `${violations.what}, ${violations.count} times`;
  if (violations.count >= VIOLATIONS_MAX) return { forMs: null, why: `is not started until its config changes: ${times}` };
  const leftMs = PAUSE_MS - ageMs(violations.at, wallMs);
  return leftMs > 0 ? { forMs: leftMs, why: `waits before it is started again: ${times}` } : null;
}

/** A clock that was set back makes nothing older than it is. */
export function ageMs(at: string, nowMs: WallMs): number {
  const sinceMs = parseWall(at);
  return sinceMs === null ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - sinceMs);
}
