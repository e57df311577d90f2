import { seeded } from "../failover/seeded.ts";
import type { FuzzTarget } from "./fuzz-target.ts";

const CHANGES_MAX = 6;
/** Inputs that were made of others, to be changed once more. */
const POOL_MAX = 64;
const KEPT_RATIO = 0.02;
/** Most repeats are short; some make an input as long as it may be. */
const REPEATS_MAX = 400;
const EDGES = [0x00, 0x09, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x3a, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0xc2, 0xe2, 0xed, 0xf0, 0xff];

/** Makes inputs out of a corpus by chance; the same seed makes the same inputs. */
export class Mutator {
  readonly #of: Pick<FuzzTarget, "corpus" | "words" | "inputBytesMax">;
  readonly #chance: () => number;
  readonly #pool: Buffer[] = [];
  #made = 0;

  constructor(of: Pick<FuzzTarget, "corpus" | "words" | "inputBytesMax">, seed: number) {
    this.#of = of;
    this.#chance = seeded(seed);
  }

  /** The corpus first, as it is. */
  next(): Buffer {
    const { corpus, inputBytesMax } = this.#of;
    const first = corpus[this.#made];
    this.#made += 1;
    if (first !== undefined) return first;
    let input = this.#any();
    for (let left = 1 + this.#below(CHANGES_MAX); left > 0; left -= 1) input = this.#change(input).subarray(0, inputBytesMax);
    if (this.#chance() < KEPT_RATIO) this.#pool[this.#below(POOL_MAX)] = input;
    return input;
  }

  #change(input: Buffer): Buffer {
    const at = this.#below(input.length + 1);
    const to = Math.min(input.length, at + 1 + this.#below(this.#chance() < 0.8 ? 8 : 200));
    const put = (bytes: Buffer): Buffer => Buffer.concat([input.subarray(0, at), bytes, input.subarray(at)]);
    switch (this.#below(9)) {
      case 0:
        return put(Buffer.from([this.#below(256)]));
      case 1:
        return put(Buffer.from([EDGES[this.#below(EDGES.length)] ?? 0]));
      case 2:
        return put(this.#of.words[this.#below(this.#of.words.length)] ?? Buffer.alloc(1));
      case 3:
        return Buffer.concat([input.subarray(0, at), input.subarray(to)]);
      case 4:
        return put(input.subarray(at, to));
      case 5: {
        const part = input.subarray(at, to);
        const most = this.#chance() < 0.9 ? 8 : REPEATS_MAX;
        return put(Buffer.concat(Array.from({ length: 1 + this.#below(most) }, () => part)));
      }
      case 6: {
        const other = this.#any();
        return Buffer.concat([input.subarray(0, at), other.subarray(this.#below(other.length + 1))]);
      }
      case 7:
        return this.#chance() < 0.2 ? input.subarray(0, at) : put(this.#random());
      default: {
        const flipped = Buffer.from(input);
        const place = this.#below(Math.max(1, input.length));
        if (place < flipped.length) flipped[place] = (flipped[place] ?? 0) ^ (1 << this.#below(8));
        return flipped;
      }
    }
  }

  #any(): Buffer {
    const { corpus } = this.#of;
    const kept = this.#chance() < 0.5 ? this.#pool[this.#below(POOL_MAX)] : undefined;
    return kept ?? corpus[this.#below(corpus.length)] ?? Buffer.alloc(0);
  }

  #random(): Buffer {
    return Buffer.from(Array.from({ length: 1 + this.#below(12) }, () => this.#below(256)));
  }

  #below(limit: number): number {
    return Math.floor(this.#chance() * limit);
  }
}
