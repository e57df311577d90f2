import { countIds, type ChunkReading } from "../wire/chunk-extras.ts";
import { textOf } from "../wire/answer-pieces.ts";
import type { OwnSurface } from "../wire/own-surface.ts";
import type { JournalRoom } from "./journal-room.ts";
import type { ShownJournal } from "./shown-journal.ts";
import type { ShownOverlap, ShownTail } from "./shown-tail.ts";

const FIRST_BYTES = 256;
const COMMA = 0x2c;

/** What another engine must be told to go on with a stream: ids as text, ready to be sent. */
export interface Continuation {
  /** `12,345`: ids of the prompt, then of all that was shown. */
  /** null = the client's own prompt is sent again. */
  readonly promptIds: Buffer | null;
  readonly shownIds: Buffer;
  /** null = only the engine that goes on tells. */
  readonly promptTokens: number | null;
  readonly shownTokens: number;
  /** A chunk as the client got it: those that follow have its form. */
  readonly template: Buffer;
  /** Of an answer with stop strings: what it is measured by; null = the ids say what was shown, and no more. */
  readonly overlap: ShownOverlap | null;
}

export interface JournalOf {
  /** For an answer with stop strings. */
  readonly tail?: ShownTail | null;
  /** false = the ids of the prompt are not needed. */
  readonly isPromptTold?: boolean;
  /** The engine's own surface that it was asked on; null = the OpenAI form. */
  readonly own?: OwnSurface | null;
  /** Tokens that it has at most where nobody names a limit; null = as many as fit. */
  readonly tokensUnasked?: number | null;
  /** The same by its chunks, where ids may turn out to have gaps. */
  readonly spare?: ShownJournal | null;
}

/** Why ids do not tell all of a stream. */
export type JournalGap = "no-ids" | "too-long";

/**
 * Of one stream: the ids of its prompt and of what its client was shown. Ids whose text has not been shown, such as half a character,
 * are not counted: another engine makes them again. Five bytes a token; beyond `bytesMax`, or the room of all, it cannot be continued.
 */
export class StreamJournal {
  readonly kind = "ids";
  readonly #bytesMax: number;
  readonly #room: JournalRoom;
  readonly #of: JournalOf;
  #taken = 0;
  #prompt: Buffer | null = null;
  #ids: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #shownBytes = 0;
  #template: Buffer | null = null;
  #gap: JournalGap | null = null;
  #isParsed = false;
  #hasFinish = false;

  constructor(bytesMax: number, room: JournalRoom, of: JournalOf = {}) {
    this.#bytesMax = bytesMax;
    this.#room = room;
    this.#of = of;
  }

  /** null = they tell all of it. */
  get gap(): JournalGap | null {
    return this.#gap ?? (this.#prompt === null && this.#of.isPromptTold !== false ? "no-ids" : null);
  }

  /** The engine's own parser has said something that no other can go on with in the middle. */
  get isParsed(): boolean {
    return this.#isParsed;
  }

  get tokensUnasked(): number | null {
    return this.#of.tokensUnasked ?? null;
  }

  get own(): OwnSurface | null {
    return this.#of.own ?? null;
  }

  /** Ids and chunks of a first text say all that is needed to go on after it. */
  tells({ ids, promptIds }: ChunkReading): boolean {
    return ids !== null && (promptIds !== null || this.#prompt !== null || this.#of.isPromptTold === false);
  }

  /** What of the answer can be gone on from: its ids, or where those have gaps its chunks. */
  get best(): StreamJournal | ShownJournal {
    const { spare = null } = this.#of;
    return this.#gap === null || spare === null || spare.isTooLong ? this : spare;
  }

  /** Something of the answer was shown. */
  get hasShown(): boolean {
    return this.#template !== null;
  }

  /** The client has the reason of the end: nothing but framing is missing. */
  get hasFinish(): boolean {
    return this.#hasFinish;
  }

  /** @param told the text of the chunk, where it is not what is shown of it. */
  take({ ids, promptIds, isShowing, isParsed, hasFinish, shown }: ChunkReading, told: string | null = null): void {
    this.#of.spare?.take({ shown, hasFinish });
    if (isParsed) this.#isParsed = true;
    if (hasFinish) this.#hasFinish = true;
    if (this.#gap !== null) return;
    if (promptIds !== null && this.#prompt === null && this.#mayKeep(promptIds.length)) this.#prompt = Buffer.from(promptIds);
    if (ids !== null) this.#append(ids);
    else if (isShowing && !hasFinish) this.#drop("no-ids");
    if (!isShowing) return;
    this.#shownBytes = this.#bytes;
    this.#of.tail?.told(told ?? (shown === null ? "" : textOf(shown)), this.#bytes);
    // What is made again is not told twice.
    this.#template = shown ?? this.#template;
  }

  /** Another engine begins after what was shown: it makes the rest again. */
  rewind(): void {
    this.#of.tail?.rewind();
    this.#shownBytes = this.#of.tail?.idsBytes ?? this.#shownBytes;
    this.#bytes = this.#shownBytes;
  }

  /** null = it has a gap, or nothing was shown. */
  continuation(): Continuation | null {
    if (this.gap !== null || this.#template === null) return null;
    // With the reason of the end all is told: nothing is held back any more.
    const tail = this.#hasFinish ? null : (this.#of.tail ?? null);
    const shownIds = this.#ids.subarray(0, tail?.idsBytes ?? this.#shownBytes);
    return {
      promptIds: this.#prompt,
      shownIds,
      promptTokens: this.#prompt === null ? null : countIds(this.#prompt),
      shownTokens: countIds(shownIds),
      template: this.#template,
      overlap: tail?.overlap() ?? null,
    };
  }

  /** Its bytes are free. Idempotent. */
  close(): void {
    this.#of.spare?.close();
    this.#free();
  }

  #free(): void {
    this.#room.give(this.#taken);
    this.#taken = 0;
  }

  #append(ids: Buffer): void {
    const needed = this.#bytes + ids.length + 1;
    if (needed > this.#ids.length) {
      const size = Math.max(needed, FIRST_BYTES, 2 * this.#ids.length);
      if (!this.#mayKeep(size - this.#ids.length)) return;
      const grown = Buffer.allocUnsafe(size);
      this.#ids.copy(grown, 0, 0, this.#bytes);
      this.#ids = grown;
    }
    if (this.#bytes > 0) {
      this.#ids[this.#bytes] = COMMA;
      this.#bytes += 1;
    }
    this.#bytes += ids.copy(this.#ids, this.#bytes);
  }

  #mayKeep(bytes: number): boolean {
    if (this.#taken + bytes <= this.#bytesMax && this.#room.take(bytes)) {
      this.#taken += bytes;
      return true;
    }
    this.#drop("too-long");
    return false;
  }

  /** What cannot be told whole is not kept. */
  #drop(gap: JournalGap): void {
    this.#gap = gap;
    this.#prompt = null;
    this.#ids = Buffer.alloc(0);
    this.#bytes = 0;
    this.#shownBytes = 0;
    this.#free();
  }
}
