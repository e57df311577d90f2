/** Share of requests that may be tried again after a soft failure. With what calm has saved a storm stays within a tenth. */
export const RETRY_RATIO = 0.08;
/** So that a quiet service can retry at all. */
export const RETRY_FLOOR = 3;
const RETRY_BANK_MAX = 20;

/** Soft retries of one service: never more than RETRY_RATIO x requests + RETRY_FLOOR. */
export class RetryBudget {
  #tokens = RETRY_FLOOR;

  recordRequest(): void {
    this.#tokens = Math.min(RETRY_BANK_MAX, this.#tokens + RETRY_RATIO);
  }

  canRetry(): boolean {
    // Tenths do not add up exactly in binary.
    return this.#tokens >= 1 - 1e-9;
  }

  /** A call that is only for speed leaves the floor to what has failed: together they stay within RETRY_RATIO. */
  canHedge(): boolean {
    return this.#tokens >= 1 + RETRY_FLOOR - 1e-9;
  }

  /** false = no room; nothing was taken. */
  take(): boolean {
    if (!this.canRetry()) return false;
    this.#tokens -= 1;
    return true;
  }
}
