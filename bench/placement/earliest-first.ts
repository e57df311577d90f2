export interface Ending {
  readonly endSeconds: number;
}

/** A binary heap by end. */
export class EarliestFirst<Entry extends Ending> {
  readonly #heap: Entry[] = [];

  add(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.endSeconds <= entry.endSeconds) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  /** The next one that ends by then, or null. */
  takeUntil(seconds: number): Entry | null {
    const [first] = this.#heap;
    if (first === undefined || first.endSeconds > seconds) return null;
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(entry: Entry): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const child = right !== undefined && right.endSeconds < left.endSeconds ? 2 * at + 2 : 2 * at + 1;
      const below = heap[child];
      if (below === undefined || below.endSeconds >= entry.endSeconds) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = entry;
  }
}
