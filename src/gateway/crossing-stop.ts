/**
 * Finds a stop string that began in what one engine said and ends in what the next one says: neither sees all of it. Only where stop strings are
 * told, so that no text is held back for them.
 */
export class CrossingStop {
  readonly #stops: readonly string[];
  readonly #longest: number;
  /** Where the next engine's text begins in `#said`. */
  readonly #cutAt: number;
  #said: string;

  /** @param before the end of what was said by the first. */
  constructor(before: string, stops: readonly string[]) {
    this.#said = before;
    this.#cutAt = before.length;
    this.#stops = stops;
    this.#longest = Math.max(...stops.map((stop) => stop.length));
  }

  /** @returns the string, and how much of `text` belongs to the answer up to its end; null = there is none. */
  push(text: string): { readonly stop: string; readonly end: number } | null {
    const told = this.#said.length;
    // The longest of them is behind the cut.
    if (told - this.#cutAt >= this.#longest - 1) return null;
    this.#said += text;
    let first: { readonly at: number; readonly stop: string } | null = null;
    for (const stop of this.#stops) {
      // What ended before this text has ended nothing.
      const at = this.#said.indexOf(stop, Math.max(0, told - stop.length + 1));
      if (at >= 0 && at < this.#cutAt && (first === null || at < first.at)) first = { at, stop };
    }
    return first === null ? null : { stop: first.stop, end: first.at + first.stop.length - told };
  }
}
