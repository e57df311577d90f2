import type { MonotonicMs } from "../base/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { EndpointWatch, LiveCall } from "./endpoint-board.ts";

/** Silence shows within a second and a half, and who speaks meanwhile owes nothing. */
const OWED_MS = 2_000;

/**
 * Stands for a call that was given up because another engine was faster: that its engine owed an answer and was silent must not be forgotten with it,
 * or an engine that hangs would never be found by those who are served elsewhere in time.
 */
export class OwedAnswer implements LiveCall {
  readonly request = null;
  readonly isExcused = false;
  readonly hasFirstByte = false;
  readonly mayBeCut = false;
  readonly canGoOn = false;
  readonly waitingSince: MonotonicMs;
  readonly #watch: EndpointWatch;

  constructor(watch: EndpointWatch, waitingSince: MonotonicMs) {
    this.#watch = watch;
    this.waitingSince = waitingSince;
  }

  /** Of an engine that was not heard in band since the call began; of any other nothing is kept. */
  static keep(watch: EndpointWatch, waitingSince: MonotonicMs, clock: Pick<Clock, "after">): void {
    if (watch.lastByteAt > waitingSince) return;
    const owed = new OwedAnswer(watch, waitingSince);
    watch.calls.add(owed);
    clock.after(OWED_MS, () => owed.lose());
  }

  /** Nobody waits for it. */
  patience(): null {
    return null;
  }

  /** Its client is told by the call that answers it. */
  keepAlive(): void {
    // Nothing to say.
  }

  lose(): void {
    this.#watch.calls.delete(this);
  }
}
