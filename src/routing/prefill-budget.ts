import type { RungEndpoint } from "../api/route-table.ts";
import { endpointKey, type EndpointKey } from "./health.ts";

/**
 * Tokens of moved streams that one engine may have to read again at once. An engine reads them in turn with the steps of all others:
 * more at once serves nobody sooner, and makes those wait who were here before.
 */
export const REREAD_TOKENS_MAX = 32_768;

/** When the engine of many streams dies, the others read all their prompts again: how much each of them reads at a time. */
export class PrefillBudget {
  readonly #reading = new Map<EndpointKey, number>();

  /** A stream that is longer than all of it is read alone. */
  hasRoom(endpoint: RungEndpoint, tokens: number): boolean {
    const reading = this.#reading.get(endpointKey(endpoint)) ?? 0;
    return reading === 0 || reading + tokens <= REREAD_TOKENS_MAX;
  }

  /** `release`, once or more often, when the first token is there or nobody waits for it. */
  take(endpoint: RungEndpoint, tokens: number): { release(): void } {
    const key = endpointKey(endpoint);
    this.#reading.set(key, (this.#reading.get(key) ?? 0) + tokens);
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        const left = (this.#reading.get(key) ?? 0) - tokens;
        if (left > 0) this.#reading.set(key, left);
        else this.#reading.delete(key);
      },
    };
  }
}
