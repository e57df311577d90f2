/** Requests of one service that are open at once. */
export class Concurrency {
  #open = 0;

  get open(): number {
    return this.#open;
  }

  /** @returns null when `limit` (null = none) is reached; else a handle, released once. */
  enter(limit: number | null): { release(): void } | null {
    if (limit !== null && this.#open >= limit) return null;
    this.#open += 1;
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#open -= 1;
      },
    };
  }
}
