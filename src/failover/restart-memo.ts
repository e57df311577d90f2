import { later, type MonotonicMs } from "../base/ids.ts";

/** What the controller remembers of one instance between two looks; lost with the process, which only makes it start at once. */
export interface InstanceMemo {
  /** Restarts since the instance was last Ready for long enough. */
  readonly restarts: number;
  readonly readySinceMs: MonotonicMs | null;
  readonly startNotBeforeMs: MonotonicMs | null;
  readonly heardAtMs: MonotonicMs | null;
  readonly drainingSinceMs: MonotonicMs | null;
  /** Woken for overflow: when it was last needed; null = it was not. */
  readonly neededAtMs: MonotonicMs | null;
}

export const NEW_MEMO: InstanceMemo = {
  restarts: 0,
  readySinceMs: null,
  startNotBeforeMs: null,
  heardAtMs: null,
  drainingSinceMs: null,
  neededAtMs: null,
};

/**
 * Ready for that long = the start itself was good, whatever ended it later: the next restart is at once. The pauses are for engines
 * that do not come up; one that served and died has taken its load time already, and redundancy waits for it.
 */
export const CALM_AFTER_MS = 1_000;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 10_000;

/** An instance ended: the first restart is at once, the next after 0.5 s, doubling to 10 s, until it stays Ready for a second. */
export function afterEnd(memo: InstanceMemo, nowMs: MonotonicMs): InstanceMemo {
  const isCalm = memo.readySinceMs !== null && nowMs - memo.readySinceMs >= CALM_AFTER_MS;
  const restarts = isCalm ? 0 : memo.restarts;
  const delayMs = restarts === 0 ? 0 : Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(restarts - 1, 16));
  return { ...NEW_MEMO, restarts: restarts + 1, startNotBeforeMs: delayMs === 0 ? null : later(nowMs, delayMs) };
}
