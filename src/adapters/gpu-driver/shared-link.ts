import { assert } from "../../base/assert.ts";
import type { MonotonicMs } from "../../base/ids.ts";
import type { Clock, Timer } from "../../ports/clock.ts";

/** A link whose running transfers each get the same share of its rate. */
export interface SharedLink {
  /** Applies to what is still to go over, too. */
  setRate(bytesPerSecond: number): void;
  /** @returns true when the bytes went over, false when `signal` was aborted before. */
  transfer(bytes: number, signal: AbortSignal): Promise<boolean>;
}

interface Running {
  /** What every transfer that ran since the beginning would have got when this one is done. */
  readonly doneAtServedBytes: number;
  readonly leave: (isDone: boolean) => void;
}

/**
 * Exact processor sharing: one count of the bytes that each transfer has got so far decides all ends,
 * so that a join or a leave costs no walk and no rounding piles up.
 */
export function createSharedLink(bytesPerSecond: number, clock: Pick<Clock, "monotonicMs" | "after">): SharedLink {
  const link = new ProcessorShare(bytesPerSecond, clock);
  return {
    setRate: (rate) => link.setRate(rate),
    transfer: (bytes, signal) => link.transfer(bytes, signal),
  };
}

class ProcessorShare {
  readonly #clock: Pick<Clock, "monotonicMs" | "after">;
  readonly #running = new Set<Running>();
  #rate: number;
  #servedBytes = 0;
  #servedAt: MonotonicMs;
  #timer: Timer | null = null;

  constructor(rate: number, clock: Pick<Clock, "monotonicMs" | "after">) {
    this.#clock = clock;
    this.#rate = rate;
    this.#servedAt = clock.monotonicMs();
  }

  setRate(bytesPerSecond: number): void {
    assert(bytesPerSecond > 0, "a link carries something");
    this.#catchUp();
    this.#rate = bytesPerSecond;
    this.#arm();
  }

  transfer(bytes: number, signal: AbortSignal): Promise<boolean> {
    assert(Number.isSafeInteger(bytes) && bytes >= 0, "bytes are whole");
    if (signal.aborted) return Promise.resolve(false);
    this.#catchUp();
    return new Promise((resolve) => {
      const leave = (isDone: boolean): void => {
        signal.removeEventListener("abort", abort);
        this.#running.delete(one);
        resolve(isDone);
      };
      const one: Running = { doneAtServedBytes: this.#servedBytes + bytes, leave };
      const abort = (): void => {
        this.#catchUp();
        leave(false);
        this.#arm();
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#running.add(one);
      this.#arm();
    });
  }

  #catchUp(): void {
    const now = this.#clock.monotonicMs();
    if (this.#running.size > 0) this.#servedBytes += ((now - this.#servedAt) * this.#rate) / (1_000 * this.#running.size);
    this.#servedAt = now;
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const first = this.#first();
    if (first === null) {
      this.#servedBytes = 0;
      return;
    }
    const restMs = ((first.doneAtServedBytes - this.#servedBytes) * 1_000 * this.#running.size) / this.#rate;
    this.#timer = this.#clock.after(Math.max(0, restMs), () => this.#finish(first));
  }

  #finish(first: Running): void {
    this.#catchUp();
    // The timer was set for this very end: rounding must not leave a fraction of a byte behind.
    this.#servedBytes = Math.max(this.#servedBytes, first.doneAtServedBytes);
    for (const one of this.#running) if (one.doneAtServedBytes <= this.#servedBytes) one.leave(true);
    this.#arm();
  }

  #first(): Running | null {
    let first: Running | null = null;
    for (const one of this.#running) if (first === null || one.doneAtServedBytes < first.doneAtServedBytes) first = one;
    return first;
  }
}
