import { byteId, LETTER_RADIX, WORD_BASE, WORD_HAS_SPACE, WORD_IS_CAPITAL, WORD_LETTERS_MAX } from "./token-ids.ts";

const SPACE = 0x20;
const UPPER_A = 0x41;
const UPPER_Z = 0x5a;
const LOWER_A = 0x61;
const LOWER_Z = 0x7a;
const CASE_BIT = 0x20;

const encoder = new TextEncoder();

/**
 * Text to ids, in time linear in its length. `detokenize` gives the same text back; other ids may give it too.
 * Surrogates without a partner become U+FFFD.
 */
export function tokenize(text: string): number[] {
  const ids: number[] = [];
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    const hasSpace = code === SPACE && isLetter(text.charCodeAt(at + 1));
    if (hasSpace || isLetter(code)) {
      at = pushWord(ids, text, hasSpace ? { at: at + 1, flags: WORD_HAS_SPACE } : { at, flags: 0 });
    } else if (code < 0x80) {
      ids.push(byteId(code));
      at += 1;
    } else {
      at = pushBeyondAscii(ids, text, at);
    }
  }
  return ids;
}

function pushWord(ids: number[], text: string, word: { readonly at: number; readonly flags: number }): number {
  const first = text.charCodeAt(word.at);
  const isCapital = first <= UPPER_Z;
  let letters = (first | CASE_BIT) - LOWER_A + 1;
  let at = word.at + 1;
  const end = word.at + WORD_LETTERS_MAX;
  while (at < end) {
    const code = text.charCodeAt(at);
    // At the end of the text the code is NaN, which no comparison admits.
    if (!(code >= LOWER_A && code <= LOWER_Z)) break;
    letters = letters * LETTER_RADIX + (code - LOWER_A + 1);
    at += 1;
  }
  ids.push(WORD_BASE + letters * 4 + word.flags + (isCapital ? WORD_IS_CAPITAL : 0));
  return at;
}

function pushBeyondAscii(ids: number[], text: string, from: number): number {
  let to = from;
  while (to < text.length && text.charCodeAt(to) >= 0x80) to += 1;
  for (const byte of encoder.encode(text.slice(from, to))) ids.push(byteId(byte));
  return to;
}

const isLetter = (code: number): boolean => (code >= LOWER_A && code <= LOWER_Z) || (code >= UPPER_A && code <= UPPER_Z);
