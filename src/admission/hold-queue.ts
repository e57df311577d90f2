import type { MonotonicMs } from "../base/ids.ts";

/** A request that waits for an endpoint. */
export interface Held {
  readonly bodyBytes: number;
  readonly holdUntil: MonotonicMs;
}

export interface HoldLimits {
  readonly countMax: number;
  readonly bytesMax: number;
}

/** Requests of one service that nobody can serve now: oldest first, bounded in count and bytes, each with a deadline. */
export class HoldQueue<Item extends Held> {
  readonly #items = new Set<Item>();
  readonly #limits: HoldLimits;
  #bytes = 0;

  constructor(limits: HoldLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#items.size;
  }

  has(item: Item): boolean {
    return this.#items.has(item);
  }

  hasRoomFor(item: Item): boolean {
    if (this.#items.has(item)) return true;
    return this.#items.size < this.#limits.countMax && this.#bytes + item.bodyBytes <= this.#limits.bytesMax;
  }

  add(item: Item): void {
    if (this.#items.has(item)) return;
    this.#items.add(item);
    this.#bytes += item.bodyBytes;
  }

  remove(item: Item): void {
    if (this.#items.delete(item)) this.#bytes -= item.bodyBytes;
  }

  /** Oldest first; a copy, so that the caller may remove while it walks. */
  waiting(): readonly Item[] {
    return [...this.#items];
  }

  expired(now: MonotonicMs): readonly Item[] {
    return this.waiting().filter((item) => now >= item.holdUntil);
  }
}
