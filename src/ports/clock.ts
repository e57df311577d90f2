import type { MonotonicMs, WallMs } from "../base/ids.ts";

/** A timer that can be taken back; `cancel` after it fired does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time. Deadlines use `monotonicMs`; `wallMs` is for what is stored and shown. */
export interface Clock {
  wallMs(): WallMs;
  /** Steady, with a fraction, never backwards; its zero is arbitrary. */
  monotonicMs(): MonotonicMs;
  /** Fires once, never before `delayMs` and never inside this call. A pending timer alone keeps no process alive. */
  after(delayMs: number, fire: () => void): Timer;
  /** Resolves after `delayMs`, or at once when `signal` is aborted; never rejects. Keeps the process alive. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}
