import type { RungEndpoint } from "../api/route-table.ts";
import type { MonotonicMs } from "../base/ids.ts";
import { endpointKey, type EndpointKey } from "./health.ts";

/** Tokens of moved streams that an engine may have to read again at once, until it has shown how fast it reads: a few prompts of 16k, so that one comes while one is read. */
export const REREAD_TOKENS_MIN = 65_536;
/** Then so much as it reads in this time: enough to keep it busy while the next ones come, and no more than those bear who were there before. */
const REREAD_AHEAD_MS = 200;
const RATE_TOKENS_MIN = 16_384;

/**
 * When the engine of many streams dies, the others read all their prompts again: how much each of them reads at a time. An engine reads in turn with
 * the steps of all others: more at once serves nobody sooner.
 */
export class PrefillBudget {
  readonly #reading = new Map<EndpointKey, number>();
  /** Tokens a millisecond, by fingerprint: engines of one model read about equally fast. */
  readonly #rates = new Map<string, number>();

  /** A stream that is longer than all of it is read alone. */
  hasRoom(endpoint: RungEndpoint, tokens: number): boolean {
    const reading = this.#reading.get(endpointKey(endpoint)) ?? 0;
    const tokensMax = Math.max(REREAD_TOKENS_MIN, (this.#rates.get(endpoint.fingerprint) ?? 0) * REREAD_AHEAD_MS);
    return reading === 0 || reading + tokens <= tokensMax;
  }

  /** `end`, once or more often, when its first token is there (`hasToken`), or nobody waits for it. */
  take(endpoint: RungEndpoint, tokens: number, now: MonotonicMs): { end(hasToken: boolean, at: MonotonicMs): void } {
    const key = endpointKey(endpoint);
    const before = this.#reading.get(key) ?? 0;
    this.#reading.set(key, before + tokens);
    let isHeld = true;
    return {
      end: (hasToken, at) => {
        if (!isHeld) return;
        isHeld = false;
        const left = (this.#reading.get(key) ?? 0) - tokens;
        if (left > 0) this.#reading.set(key, left);
        else this.#reading.delete(key);
        // All that was before it was read meanwhile. Of a little the time tells how long a step takes, and not how fast is read.
        if (hasToken && at > now && before + tokens >= RATE_TOKENS_MIN)
          this.#rates.set(endpoint.fingerprint, (before + tokens) / (at - now));
      },
    };
  }
}
