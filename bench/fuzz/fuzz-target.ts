import type { Stopwatch } from "./stopwatch.ts";

/** Something that is given bytes, and is wrong when it throws. The same bytes always do the same: chance comes out of them. */
export interface FuzzTarget {
  /** Inputs that begin well: every other one is made of them. */
  readonly corpus: readonly Buffer[];
  /** Put in here and there. */
  readonly words: readonly Buffer[];
  readonly inputBytesMax: number;
  /** Inputs that run at once. */
  readonly lanes: number;
  /** @throws anything = the input is a find. */
  run(input: Buffer): void | Promise<void>;
  close(): Promise<void>;
}

/** @param watch times what the product does with an input, where a turn of the loop would hold the target's own checks too. */
export type OpenTarget = (watch: Stopwatch) => Promise<FuzzTarget>;

/** Chance out of an input's bytes; noughts when they are used up. */
export class Choices {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isEmpty(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    return byte;
  }

  below(limit: number): number {
    return this.byte() % limit;
  }

  /** Of the rest, at most so many. */
  bytes(most: number): Buffer {
    const part = this.#bytes.subarray(this.#at, this.#at + most);
    this.#at += part.length;
    return part;
  }
}
