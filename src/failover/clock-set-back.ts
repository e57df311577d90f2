import type { WallMs } from "../base/ids.ts";
import { formatWall } from "../base/time.ts";
import type { ServiceStatus } from "../api/service-status.ts";

/**
 * A stored time that lies ahead was told by a clock that has been set back since, or by another machine's: it counts as now. What
 * waits for it then waits its time once more, and not until the clock has caught up.
 */
export function withoutFuture(status: ServiceStatus, nowMs: WallMs): ServiceStatus {
  const now = formatWall(nowMs);
  const isAhead = (at: string | null | undefined): boolean => at !== null && at !== undefined && at > now;
  const { failback, errorBudget, failovers, quarantined } = status;
  const times = [
    status.soakSince,
    failback.step?.since,
    failback.doneAt,
    failback.undone?.at,
    errorBudget.windowStart,
    failovers.windowStart,
  ];
  if (!times.some(isAhead) && !quarantined.some(({ since }) => isAhead(since))) return status;
  const notAhead = (at: string | null): string | null => (isAhead(at) ? now : at);
  const { step, undone } = failback;
  return {
    ...status,
    soakSince: notAhead(status.soakSince),
    failback: {
      step: step !== null && isAhead(step.since) ? { ...step, since: now } : step,
      doneAt: notAhead(failback.doneAt),
      undone: undone !== null && isAhead(undone.at) ? { ...undone, at: now } : undone,
    },
    errorBudget: { ...errorBudget, windowStart: notAhead(errorBudget.windowStart) },
    failovers: { ...failovers, windowStart: notAhead(failovers.windowStart) },
    quarantined: quarantined.map((entry) => (isAhead(entry.since) ? { ...entry, since: now } : entry)),
  };
}
