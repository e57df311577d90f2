import type { RouteTable } from "../api/route-table.ts";
import { queueMsFrom } from "../routing/degraded-model.ts";

const HOLD_MIN_MS = 5_000;
const HOLD_MAX_MS = 60_000;

/**
 * How long a request may wait for an endpoint: as the service's degraded steps say; without them as long as its recovery may take,
 * because a promise of recovery is worth nothing to a client that was sent away before it.
 */
export function holdMsOf(table: Pick<RouteTable, "degraded" | "rtoTargetMs">): number {
  if (table.degraded.length > 0) return queueMsFrom(table.degraded, 0);
  return Math.min(HOLD_MAX_MS, Math.max(HOLD_MIN_MS, table.rtoTargetMs));
}
