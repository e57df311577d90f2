import { byteOf, LETTER_RADIX, WORD_BASE, WORD_HAS_SPACE, WORD_IS_CAPITAL } from "./token-ids.ts";

const REPLACEMENT = "\uFFFD";
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Turns ids into text one at a time; characters that lie across several ids come with their last one. */
export interface Detokenizer {
  /** @returns what became readable; often nothing inside a character. */
  push(id: number): string;
  /** @returns U+FFFD when the ids ended inside a character, else nothing. */
  end(): string;
}

export function createDetokenizer(): Detokenizer {
  let pending: number[] = [];
  let neededBytes = 0;

  function end(): string {
    if (pending.length === 0) return "";
    pending = [];
    return REPLACEMENT;
  }

  return {
    end,
    push: (id) => {
      const byte = byteOf(id);
      if (byte === null) return pending.length === 0 ? wordText(id) : end() + wordText(id);
      if (byte < 0x80) return end() + String.fromCharCode(byte);
      const isContinuation = byte < 0xc0;
      if (!isContinuation) {
        const cut = end();
        pending.push(byte);
        neededBytes = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return cut;
      }
      if (pending.length === 0) return REPLACEMENT;
      pending.push(byte);
      if (pending.length < neededBytes) return "";
      const text = decoder.decode(Uint8Array.from(pending));
      pending = [];
      return text;
    },
  };
}

/** The text of all the ids. */
export function detokenize(ids: readonly number[]): string {
  const detokenizer = createDetokenizer();
  let text = "";
  for (const id of ids) text += detokenizer.push(id);
  return text + detokenizer.end();
}

/** Special ids have no text. */
function wordText(id: number): string {
  if (id < WORD_BASE) return "";
  const flags = (id - WORD_BASE) % 4;
  let rest = Math.floor((id - WORD_BASE) / 4);
  let word = "";
  while (rest > 0) {
    const letter = rest % LETTER_RADIX;
    // Only ids that no tokenizer makes have a nought between letters.
    if (letter > 0) word = String.fromCharCode(0x60 + letter) + word;
    rest = Math.floor(rest / LETTER_RADIX);
  }
  if ((flags & WORD_IS_CAPITAL) !== 0) word = word.charAt(0).toUpperCase() + word.slice(1);
  return (flags & WORD_HAS_SPACE) !== 0 ? ` ${word}` : word;
}
