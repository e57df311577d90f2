/** Of all streams of a gateway together: some thousand long ones. */
const JOURNALS_BYTES_MAX = 268_435_456;

/** What the journals of all streams may hold together: a stream that finds no room runs on, and ends with its engine. */
export class JournalRoom {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number = JOURNALS_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns false when there is no such room; nothing is taken then. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}
