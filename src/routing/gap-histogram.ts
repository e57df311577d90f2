const BUCKETS = 96;
const BUCKETS_PER_OCTAVE = 6;
/** Old gaps fade: at this count every bucket is halved. */
const SAMPLES_MAX = 2_048;

/** Gaps between bytes of one endpoint's streams, on a log scale from 1 ms; answers a p99 within 12 %. */
export class GapHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  add(gapMs: number): void {
    const bucket = gapMs <= 1 ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log2(gapMs) * BUCKETS_PER_OCTAVE));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
    if (this.#total >= SAMPLES_MAX) this.#halve();
  }

  /** 0 while nothing is known. */
  p99Ms(): number {
    return this.#quantileMs(0.99);
  }

  /** 0 while nothing is known. */
  medianMs(): number {
    return this.#quantileMs(0.5);
  }

  #quantileMs(quantile: number): number {
    let left = this.#total * (1 - quantile);
    for (let bucket = BUCKETS - 1; bucket >= 0; bucket -= 1) {
      left -= this.#counts[bucket] ?? 0;
      if (left < 0) return 2 ** (bucket / BUCKETS_PER_OCTAVE);
    }
    return 0;
  }

  #halve(): void {
    this.#total = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const half = (this.#counts[bucket] ?? 0) / 2;
      this.#counts[bucket] = half;
      this.#total += half;
    }
  }
}
