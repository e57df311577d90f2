import type { ChunkReading } from "../wire/chunk-extras.ts";
import type { JournalRoom } from "./journal-room.ts";

/** Of one stream that cannot go on from ids: the chunks that its client was shown, to compare another engine's answer with. */
export class ShownJournal {
  readonly kind = "chunks";
  readonly #bytesMax: number;
  readonly #room: JournalRoom;
  readonly #chunks: Buffer[] = [];
  #taken = 0;
  #hasFinish = false;
  isTooLong = false;

  constructor(bytesMax: number, room: JournalRoom) {
    this.#bytesMax = bytesMax;
    this.#room = room;
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
    if (this.#taken + shown.length > this.#bytesMax || !this.#room.take(shown.length)) {
      this.isTooLong = true;
      this.close();
      return;
    }
    this.#taken += shown.length;
    this.#chunks.push(shown);
  }

  /** Its bytes are free. Idempotent. */
  close(): void {
    this.#chunks.length = 0;
    this.#room.give(this.#taken);
    this.#taken = 0;
  }
}
