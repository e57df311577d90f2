import type { ChunkReading } from "../wire/chunk-extras.ts";

const FIRST_BYTES = 256;
const COMMA = 0x2c;

/** What another engine must be told to go on with a stream: ids as text, ready to be sent. */
export interface Continuation {
  /** `12,345`: ids of the prompt, then of all that was shown. */
  readonly promptIds: Buffer;
  readonly shownIds: Buffer;
  readonly promptTokens: number;
  readonly shownTokens: number;
  /** A chunk as the client got it: those that follow have its form. */
  readonly template: Buffer;
}

/**
 * Of one stream: the ids of its prompt and of what its client was shown. Ids whose text has not been shown, such as half a character,
 * are not counted: another engine makes them again. Five bytes a token; beyond `bytesMax` the stream cannot be continued.
 */
export class StreamJournal {
  readonly kind = "ids";
  readonly #bytesMax: number;
  #prompt: Buffer | null = null;
  #ids: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #bytes = 0;
  #shownBytes = 0;
  #template: Buffer | null = null;
  #gap: "no-ids" | "too-long" | null = null;
  #isParsed = false;
  #hasFinish = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Why the ids do not tell all of it; null = they do. */
  get gap(): "no-ids" | "too-long" | null {
    return this.#gap ?? (this.#prompt === null ? "no-ids" : null);
  }

  /** The engine's own parser has said something that no other can go on with in the middle. */
  get isParsed(): boolean {
    return this.#isParsed;
  }

  /** The client has the reason of the end: nothing but framing is missing. */
  get hasFinish(): boolean {
    return this.#hasFinish;
  }

  get bytes(): number {
    return this.#bytes + (this.#prompt?.length ?? 0);
  }

  take({ ids, promptIds, isShowing, isParsed, hasFinish, shown }: ChunkReading): void {
    if (promptIds !== null) this.#prompt ??= Buffer.from(promptIds);
    if (ids !== null) this.#append(ids);
    else if (isShowing && !hasFinish) this.#gap ??= "no-ids";
    if (this.bytes > this.#bytesMax) this.#gap ??= "too-long";
    if (isParsed) this.#isParsed = true;
    if (hasFinish) this.#hasFinish = true;
    if (!isShowing) return;
    this.#shownBytes = this.#bytes;
    this.#template = shown;
  }

  /** Another engine begins after what was shown: it makes the rest again. */
  rewind(): void {
    this.#bytes = this.#shownBytes;
  }

  /** null = it has a gap, or nothing was shown. */
  continuation(): Continuation | null {
    if (this.gap !== null || this.#prompt === null || this.#template === null) return null;
    const shownIds = this.#ids.subarray(0, this.#shownBytes);
    return {
      promptIds: this.#prompt,
      shownIds,
      promptTokens: countOf(this.#prompt),
      shownTokens: countOf(shownIds),
      template: this.#template,
    };
  }

  #append(ids: Buffer): void {
    const needed = this.#bytes + ids.length + 1;
    if (needed > this.#bytesMax) {
      this.#gap ??= "too-long";
      return;
    }
    if (needed > this.#ids.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#ids.length));
      this.#ids.copy(grown, 0, 0, this.#bytes);
      this.#ids = grown;
    }
    if (this.#bytes > 0) {
      this.#ids[this.#bytes] = COMMA;
      this.#bytes += 1;
    }
    this.#bytes += ids.copy(this.#ids, this.#bytes);
  }
}

function countOf(ids: Buffer): number {
  if (ids.length === 0) return 0;
  let count = 1;
  for (const byte of ids) if (byte === COMMA) count += 1;
  return count;
}
