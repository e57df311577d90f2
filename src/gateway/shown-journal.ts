import type { ChunkReading } from "../wire/chunk-extras.ts";

/** Of one stream that cannot go on from ids: the chunks that its client was shown, to compare another engine's answer with. */
export class ShownJournal {
  readonly kind = "chunks";
  readonly #bytesMax: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #hasFinish = false;
  isTooLong = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get hasFinish(): boolean {
    return this.#hasFinish;
  }

  /** In order; complete unless `isTooLong`. */
  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  take({ shown, hasFinish }: Pick<ChunkReading, "shown" | "hasFinish">): void {
    if (hasFinish) this.#hasFinish = true;
    if (shown === null || this.isTooLong) return;
    this.#bytes += shown.length;
    this.isTooLong = this.#bytes > this.#bytesMax;
    if (this.isTooLong) this.#chunks.length = 0;
    else this.#chunks.push(shown);
  }
}
