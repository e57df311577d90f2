const SAMPLES_MAX = 512;

/** Times to first token since they were last asked for: the newest few hundred, in place. */
export class FirstTokenRing {
  readonly #samplesMs = new Float64Array(SAMPLES_MAX);
  #seen = 0;

  add(firstTokenMs: number): void {
    this.#samplesMs[this.#seen % SAMPLES_MAX] = firstTokenMs;
    this.#seen += 1;
  }

  /** Nearest rank; null when there were none. What was told is forgotten. */
  takeP99Ms(): number | null {
    const count = Math.min(this.#seen, SAMPLES_MAX);
    this.#seen = 0;
    if (count === 0) return null;
    const sorted = this.#samplesMs.slice(0, count).sort();
    return sorted[Math.ceil(count * 0.99) - 1] ?? null;
  }
}
