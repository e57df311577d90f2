import { textOf } from "../wire/answer-pieces.ts";
import type { ChunkReading } from "../wire/chunk-extras.ts";
import { chunkForm, type ChunkForm } from "../wire/continued-chunk.ts";
import type { IdEngine } from "../wire/id-engine.ts";
import type { OwnSurface } from "../wire/own-surface.ts";
import type { JournalRoom } from "./journal-room.ts";
import type { ShownJournal } from "./shown-journal.ts";
import { ShownTail, type IdsEnd, type ShownOverlap } from "./shown-tail.ts";

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
  /** Of the last chunk that the client got: those that follow have it. */
  readonly form: ChunkForm;
  /** What the next engine's text is measured by; null = the ids say what was shown, and no more. */
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
  /** Does the text of a chunk say all of its ids? null, and by default: where it names one. */
  readonly endsWhole?: IdEngine["endsWhole"];
  /** The same by its chunks, where ids may turn out to have gaps. */
  readonly spare?: ShownJournal | null;
}

/** Why ids do not tell all of a stream. */
export type JournalGap =
  | "no-ids"
  | "too-long"
  /** Its last chunk is of no form that others could have. */
  | "unreadable";

/**
 * Of one stream: the ids of its prompt and of what its client was shown. Ids whose text has not been shown, such as half a character,
 * are not counted: another engine makes them again. Where a chunk does not tell whether it ends within one, neither are its own. Five bytes a token; beyond `bytesMax`, or the room of all, it cannot be continued.
 */
export class StreamJournal {
  readonly kind = "ids";
  readonly #bytesMax: number;
  readonly #room: JournalRoom;
  readonly #of: JournalOf;
  #taken = 0;
  #prompt: Buffer | null = null;
  #ids: Buffer = Buffer.alloc(0);
  #promptTokens = 0;
  #bytes = 0;
  #tokens = 0;
  #shownBytes = 0;
  #shownTokens = 0;
  /** null = the ids up to `#shownBytes` say what was shown. */
  #tail: ShownTail | null;
  #template: Buffer | null = null;
  #form: { readonly of: Buffer; readonly form: ChunkForm | null } | null = null;
  #gap: JournalGap | null = null;
  #isParsed = false;
  #hasFinish = false;
  #hasUsage = false;

  constructor(bytesMax: number, room: JournalRoom, of: JournalOf = {}) {
    this.#bytesMax = bytesMax;
    this.#room = room;
    this.#of = of;
    this.#tail = of.tail ?? null;
  }

  /** null = they tell all of it. */
  get gap(): JournalGap | null {
    if (this.#gap !== null) return this.#gap;
    if (this.#prompt === null && this.#of.isPromptTold !== false) return "no-ids";
    return this.#template !== null && this.#formOf(this.#template) === null ? "unreadable" : null;
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

  /** The client has been told how many tokens the whole has. */
  get hasUsage(): boolean {
    return this.#hasUsage;
  }

  /** @param told the text of the chunk, where it is not what is shown of it. */
  take(reading: ChunkReading, told: string | null = null): void {
    const { ids, promptIds, isShowing, hasFinish } = reading;
    this.#of.spare?.take(reading);
    if (reading.isParsed) this.#isParsed = true;
    if (hasFinish) this.#hasFinish = true;
    if (reading.tellsUsage) this.#hasUsage = true;
    if (this.#gap !== null) return;
    if (promptIds !== null && this.#prompt === null && this.#mayKeep(promptIds.length)) {
      this.#prompt = Buffer.from(promptIds);
      this.#promptTokens = reading.promptCount;
    }
    if (ids !== null) this.#append(ids, reading.idCount);
    else if (isShowing && !hasFinish) this.#drop("no-ids");
    if (isShowing) this.#show(reading, told);
  }

  #show({ shown, idCount }: ChunkReading, told: string | null): void {
    const { endsWhole = null, tail = null } = this.#of;
    // Of most chunks the text need not be read.
    if (this.#tail !== null || endsWhole !== null || idCount !== 1) {
      const text = told ?? (shown === null ? "" : textOf(shown));
      const isWhole = endsWhole === null ? idCount === 1 : endsWhole(text);
      if (!isWhole) this.#tail ??= new ShownTail(null, NOTHING_HELD_BACK, { bytes: this.#shownBytes, tokens: this.#shownTokens });
      this.#tail?.told(text, { bytes: this.#bytes, tokens: this.#tokens, isWhole });
      if (this.#tail !== tail && this.#tail?.isSettled === true) this.#tail = null;
    }
    this.#shownBytes = this.#bytes;
    this.#shownTokens = this.#tokens;
    // What is made again is not told twice.
    this.#template = shown ?? this.#template;
  }

  /** Another engine begins after what was shown: it makes the rest again. */
  rewind(): void {
    this.#tail?.rewind();
    const { bytes, tokens } = this.#takenUpAt(this.#tail);
    this.#bytes = this.#shownBytes = bytes;
    this.#tokens = this.#shownTokens = tokens;
  }

  /** null = it has a gap, or nothing was shown. */
  continuation(): Continuation | null {
    if (this.gap !== null || this.#template === null) return null;
    const form = this.#formOf(this.#template);
    if (form === null) return null;
    // With the reason of the end all is told: nothing is held back any more.
    const tail = this.#hasFinish ? null : this.#tail;
    const end = this.#takenUpAt(tail);
    return {
      promptIds: this.#prompt,
      shownIds: this.#ids.subarray(0, end.bytes),
      promptTokens: this.#prompt === null ? null : this.#promptTokens,
      shownTokens: end.tokens,
      form,
      overlap: tail?.overlap() ?? null,
    };
  }

  #takenUpAt(tail: ShownTail | null): IdsEnd {
    return tail?.cut ?? { bytes: this.#shownBytes, tokens: this.#shownTokens };
  }

  /** Made once of each: who asks often whether it can go on would make it often. */
  #formOf(template: Buffer): ChunkForm | null {
    if (this.#form?.of !== template) this.#form = { of: template, form: chunkForm(template) };
    return this.#form.form;
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

  #append(ids: Buffer, count: number): void {
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
    this.#tokens += count;
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
    this.#bytes = this.#tokens = this.#shownBytes = this.#shownTokens = 0;
    this.#tail = null;
    this.#free();
  }
}

const NOTHING_HELD_BACK = (): number => 0;
