/** Longest message: tables of some ten thousand services. */
export const LINE_BYTES_MAX = 16 * 1_048_576;
const NEWLINE = 0x0a;

/** Turns a byte stream into lines without their ends; only whole lines are decoded, so that no character is torn. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #lineBytesMax: number;
  #pieces: Buffer[] = [];
  #heldBytes = 0;

  constructor(onLine: (line: string) => void, lineBytesMax: number = LINE_BYTES_MAX) {
    this.#onLine = onLine;
    this.#lineBytesMax = lineBytesMax;
  }

  /** @returns false when a line grows above the limit: the stream is of no use any more. */
  push(chunk: Buffer): boolean {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      this.#hold(chunk.subarray(from, at));
      from = at + 1;
      if (this.#heldBytes > this.#lineBytesMax) return false;
      this.#onLine(this.#take());
    }
    this.#hold(chunk.subarray(from));
    return this.#heldBytes <= this.#lineBytesMax;
  }

  #hold(piece: Buffer): void {
    if (piece.byteLength === 0) return;
    this.#pieces.push(piece);
    this.#heldBytes += piece.byteLength;
  }

  #take(): string {
    const line = Buffer.concat(this.#pieces).toString("utf8");
    this.#pieces = [];
    this.#heldBytes = 0;
    return line;
  }
}
