import type { ChunkReading } from "../wire/chunk-extras.ts";
import { sequenceOf } from "../wire/parse-responses-event.ts";
import type { JournalRoom } from "./journal-room.ts";

/** Of one stream that cannot go on from ids: the chunks that its client was shown, to compare another engine's answer with. */
export class ShownJournal {
  readonly kind = "chunks";
  readonly #bytesMax: number;
  readonly #room: JournalRoom;
  readonly #chunks: Buffer[] = [];
  #taken = 0;
  #hasFinish = false;
  #hasUsage = false;
  #last: Buffer | null = null;
  isTooLong = false;

  constructor(bytesMax: number, room: JournalRoom) {
    this.#bytesMax = bytesMax;
    this.#room = room;
  }

  get hasFinish(): boolean {
    return this.#hasFinish;
  }

  /** The client has been told how many tokens the whole has. */
  get hasUsage(): boolean {
    return this.#hasUsage;
  }

  /** In order; complete unless `isTooLong`. */
  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  take({ shown, hasFinish, tellsUsage }: Pick<ChunkReading, "shown" | "hasFinish"> & Partial<Pick<ChunkReading, "tellsUsage">>): void {
    if (hasFinish) this.#hasFinish = true;
    if (tellsUsage === true) this.#hasUsage = true;
    if (shown === null) return;
    this.#last = shown;
    if (this.isTooLong) return;
    if (this.#taken + shown.length > this.#bytesMax || !this.#room.take(shown.length)) {
      this.isTooLong = true;
      this.close();
      return;
    }
    this.#taken += shown.length;
    this.#chunks.push(shown);
  }

  /** Of a response, whose events are numbered: the number after the last one. Known also where the rest is too long. */
  nextSequence(): number {
    const last = this.#last === null ? null : sequenceOf(this.#last);
    return last === null ? 0 : last + 1;
  }

  /** Its bytes are free. Idempotent. */
  close(): void {
    this.#chunks.length = 0;
    this.#room.give(this.#taken);
    this.#taken = 0;
  }
}
