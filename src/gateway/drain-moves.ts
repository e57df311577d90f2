import type { MonotonicMs } from "../base/ids.ts";
import type { Clock } from "../ports/clock.ts";
import { endpointKey, type EndpointKey } from "../routing/health.ts";
import type { EndpointBoard } from "./endpoint-board.ts";

/** A planned end waits 30 s for what runs; what cannot end by itself until then has two thirds of that, and a third to move. */
export const MOVE_AFTER_MS = 20_000;

/** Streams of engines that no table names any more move before their engine is ended: a planned end costs nobody an answer. */
export class DrainMoves {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #board: EndpointBoard;
  /** Since when no table names them. */
  readonly #unnamed = new Map<EndpointKey, MonotonicMs>();

  constructor(of: { readonly clock: Pick<Clock, "monotonicMs">; readonly board: EndpointBoard }) {
    this.#clock = of.clock;
    this.#board = of.board;
  }

  /** @param named every endpoint of every table in force. */
  tablesChanged(named: ReadonlySet<EndpointKey>): void {
    const now = this.#clock.monotonicMs();
    const watched = new Set(this.#board.all().map(({ endpoint }) => endpointKey(endpoint)));
    for (const key of this.#unnamed.keys()) if (named.has(key) || !watched.has(key)) this.#unnamed.delete(key);
    for (const key of watched) if (!named.has(key) && !this.#unnamed.has(key)) this.#unnamed.set(key, now);
  }

  tick(): void {
    if (this.#unnamed.size === 0) return;
    const now = this.#clock.monotonicMs();
    for (const { endpoint, calls } of this.#board.all()) {
      const since = this.#unnamed.get(endpointKey(endpoint));
      if (since === undefined || now - since < MOVE_AFTER_MS) continue;
      for (const call of Array.from(calls)) if (call.canGoOn) call.lose({ isHard: false, code: "upstream_drained" });
    }
  }
}
