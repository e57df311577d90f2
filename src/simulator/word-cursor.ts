import { nearestName } from "../api/nearest-name.ts";
import { parseDuration } from "../api/parse-duration.ts";
import { formatDuration } from "../base/time.ts";

/** What is wrong in a line, and from which column on, counted from 1. */
export interface WordError {
  readonly column: number;
  readonly what: string;
  readonly next: string;
}

const NAME = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;
const SHOWN_MAX = 40;

/**
 * Reads a line word by word. The first error is kept in `error`; every read after it gives something of its type, to be thrown away:
 * a grammar reads as the sentence that it is.
 */
export class WordCursor {
  error: WordError | null = null;
  readonly #words: readonly { readonly text: string; readonly column: number }[];
  readonly #endColumn: number;
  #at = 0;

  constructor(line: string) {
    this.#words = [...line.matchAll(/\S+/g)].map((match) => ({ text: match[0], column: match.index + 1 }));
    this.#endColumn = line.trimEnd().length + 1;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#words.length;
  }

  /** null = nothing is left, or an error was found. */
  get next(): string | null {
    return this.error === null ? (this.#words[this.#at]?.text ?? null) : null;
  }

  /** Takes the word if it is the next one. */
  takes(word: string): boolean {
    if (this.#words[this.#at]?.text !== word) return false;
    this.#at += 1;
    return true;
  }

  literal(word: string): void {
    this.choice(`the word ${word}`, [word]);
  }

  choice<Word extends string>(what: string, words: readonly [Word, ...Word[]]): Word {
    const text = this.#take(what, `Write ${words.length === 1 ? words[0] : `one of ${words.join(", ")}`}.`);
    const found = words.find((word) => word === text);
    if (found !== undefined || text === null) return found ?? words[0];
    this.#unknown(text, what, words);
    return words[0];
  }

  /** A name that was said before. */
  known(what: string, names: readonly string[]): string {
    const text = this.#take(what, names.length === 0 ? "None is declared above." : `It is one of ${names.join(", ")}.`) ?? "";
    if (this.error === null && !names.includes(text)) this.#unknown(text, what, names);
    return text;
  }

  /** A new name: a DNS label of at most 40 characters that begins with a letter. */
  name(what: string): string {
    return this.matching(what, NAME, "Write small letters, digits and dashes, a letter first, at most 40.")[0];
  }

  /** @returns the match; an empty text in every place after an error. */
  matching(what: string, pattern: RegExp, next: string): readonly [string, ...string[]] {
    const text = this.#take(what, next);
    const match = text === null ? null : pattern.exec(text);
    if (match === null) {
      if (text !== null) this.fail(`${shown(text)} is not ${what}.`, next);
      return [""];
    }
    return [match[0], ...match.slice(1).map((group) => group ?? "")];
  }

  /** A whole number from `min` to `max`, between a prefix and a suffix: `x10`, `20/s`, `50%`. */
  count(
    what: string,
    {
      min,
      max,
      prefix = "",
      suffix = "",
    }: { readonly min: number; readonly max: number; readonly prefix?: string; readonly suffix?: string },
  ): number {
    const form = `${prefix}${min}${suffix} to ${prefix}${max}${suffix}`;
    const text = this.#take(what, `Write ${form}.`);
    if (text === null) return min;
    const digits = text.slice(prefix.length, text.length - suffix.length);
    const value = Number(digits);
    const isRight = text === `${prefix}${digits}${suffix}` && /^(0|[1-9]\d{0,8})$/.test(digits) && value >= min && value <= max;
    if (!isRight) this.fail(`${shown(text)} is not ${what}.`, `Write ${form}.`);
    return isRight ? value : min;
  }

  durationMs(what: string, { minMs, maxMs }: { readonly minMs: number; readonly maxMs: number }): number {
    const form = `Write a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 5s or 250ms.`;
    const text = this.#take(what, form);
    if (text === null) return minMs;
    const parsed = parseDuration(text);
    if (!parsed.ok) {
      this.fail(`${shown(text)} is not ${what}. ${parsed.error.why}`, parsed.error.next);
      return minMs;
    }
    if (parsed.value < minMs || parsed.value > maxMs) this.fail(`${shown(text)} is not ${what}.`, form);
    return parsed.value;
  }

  end(): void {
    const rest = this.#words[this.#at];
    if (rest !== undefined) this.#failAt(rest.column, `${shown(rest.text)} stands behind the end of the line.`, "Take it away.");
  }

  /** At the word that was read last. */
  fail(what: string, next: string): void {
    this.#failAt(this.#words[Math.max(0, this.#at - 1)]?.column ?? 1, what, next);
  }

  #take(what: string, next: string): string | null {
    if (this.error !== null) return null;
    const word = this.#words[this.#at];
    if (word === undefined) {
      this.#failAt(this.#endColumn, `Here ${what} is missing.`, next);
      return null;
    }
    this.#at += 1;
    return word.text;
  }

  #unknown(text: string, what: string, words: readonly string[]): void {
    const nearest = nearestName(text, words);
    const all = words.length === 0 ? "None is declared above." : `It is one of ${words.join(", ")}.`;
    this.fail(`${shown(text)} is not ${what}.`, nearest === null ? all : `Did you mean ${nearest}? ${all}`);
  }

  #failAt(column: number, what: string, next: string): void {
    this.error ??= { column, what, next };
  }
}

const shown = (text: string): string => (text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
