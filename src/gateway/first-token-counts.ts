import { FIRST_TOKEN_BOUNDS_SECONDS } from "../api/alert-counters.ts";

/** First tokens within each bound since the gateway started, as its histogram on the metrics page has them. */
export class FirstTokenCounts {
  readonly #within = new Float64Array(FIRST_TOKEN_BOUNDS_SECONDS.length + 1);

  add(firstTokenSeconds: number): void {
    for (let at = this.#within.length - 1; at >= 0; at -= 1) {
      if (firstTokenSeconds > (FIRST_TOKEN_BOUNDS_SECONDS[at] ?? Number.POSITIVE_INFINITY)) return;
      this.#within[at] = (this.#within[at] ?? 0) + 1;
    }
  }

  /** Cumulative; the last counts all. */
  cumulative(): readonly number[] {
    return [...this.#within];
  }
}
