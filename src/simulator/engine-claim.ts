import type { MonotonicMs } from "../base/ids.ts";
import type { Clock, Timer } from "../ports/clock.ts";

/** Carried by every probe of a control plane or a gateway; its value is the state's id. */
const CLAIM_HEADER = "x-tidegate-claim";
const CLAIM_MS = 30_000;
// After a pause of the whole process its claims wait in the sockets: they are read before it judges.
const LATE_MS = 1_000;

/** Counts the time since somebody last claimed the engine. */
export interface ClaimWatch {
  saw(headers: readonly string[]): void;
  stop(): void;
}

/** @param onUnclaimed called once, CLAIM_MS after the last claim, or after the start. */
export function watchClaim(stateId: string, clock: Clock, onUnclaimed: () => void): ClaimWatch {
  let lastClaimAt: MonotonicMs = clock.monotonicMs();
  let timer: Timer = arm(CLAIM_MS);

  function arm(waitMs: number): Timer {
    const dueMs = clock.monotonicMs() + waitMs;
    return clock.after(waitMs, () => judge(dueMs));
  }

  function judge(dueMs: number): void {
    const nowMs = clock.monotonicMs();
    const leftMs = CLAIM_MS - (nowMs - lastClaimAt);
    const wasLate = nowMs > dueMs + LATE_MS;
    if (leftMs <= 0 && !wasLate) return onUnclaimed();
    timer = arm(Math.max(leftMs, LATE_MS));
  }

  return {
    saw: (headers) => {
      if (headerOf(headers, CLAIM_HEADER) === stateId) lastClaimAt = clock.monotonicMs();
    },
    stop: () => timer.cancel(),
  };
}

function headerOf(headers: readonly string[], name: string): string | null {
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() === name) return headers[at + 1] ?? null;
  }
  return null;
}
