import type { RelaySink } from "./relay.ts";

/** What an engine says before the first content of an answer is held back, so that its death until then is retried unseen. */
export class Preamble {
  readonly #sink: RelaySink;
  readonly #bytesMax: number;
  #held: Buffer[] | null = [];
  #heldBytes = 0;

  constructor(sink: RelaySink, bytesMax: number) {
    this.#sink = sink;
    this.#bytesMax = bytesMax;
  }

  get isOver(): boolean {
    return this.#held === null;
  }

  /** Holds it back, or passes it on once the answer has begun. @returns false when it is too much for a preamble. */
  pass(frame: Buffer): boolean {
    if (this.#held === null) {
      this.#sink.wrote(frame);
      return true;
    }
    this.#held.push(frame);
    this.#heldBytes += frame.length;
    return this.#heldBytes <= this.#bytesMax;
  }

  /** First content: the head and what was held back go out before it. */
  open(): void {
    if (this.#held === null) return;
    const held = this.#held;
    this.#held = null;
    this.#sink.begin();
    for (const frame of held) this.#sink.wrote(frame);
  }
}
