import { err, ok, type Result } from "../base/result.ts";

export interface JsonLimits {
  readonly depthMax: number;
  /** Longest number literal: more digits than any real value has. */
  readonly numberBytesMax: number;
  readonly topLevelKeysMax: number;
  /** Values and keys in all: the longest prompts of token ids have fewer. */
  readonly valuesMax: number;
}
export const JSON_LIMITS: JsonLimits = { depthMax: 100, numberBytesMax: 64, topLevelKeysMax: 200, valuesMax: 600_000 };

export type JsonScanCode =
  | "NOT_JSON"
  | "NOT_AN_OBJECT"
  | "TOO_DEEP"
  | "DUPLICATE_KEY"
  | "FORBIDDEN_KEY"
  | "NUMBER_TOO_LONG"
  | "NUMBER_TOO_LARGE"
  | "TOO_MANY_KEYS"
  | "TOO_MANY_VALUES"
  | "BAD_UNICODE";

export interface JsonScanError {
  readonly code: JsonScanCode;
  /** Byte offset where the scan stopped. */
  readonly at: number;
  /** The top-level key, where one is to blame. */
  readonly key: string | null;
}

/** Where a top-level value stands in the bytes: `start` inclusive, `end` exclusive. */
export interface JsonField {
  readonly start: number;
  readonly end: number;
}

export interface JsonObjectScan {
  readonly fields: ReadonlyMap<string, JsonField>;
  /** Offset of the closing brace. */
  readonly closeAt: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const MINUS = 0x2d;
const SPACE = 0x20;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * One pass over a whole JSON object without building it: finds the top-level fields, and refuses what two parsers could read differently
 * (duplicate top-level keys, `__proto__` at any depth, lone surrogates, broken UTF-8) or what costs an engine too much (depth, endless numbers).
 * Never recursive; linear in the bytes.
 */
export function scanJsonObject(bytes: Buffer, limits: JsonLimits = JSON_LIMITS): Result<JsonObjectScan, JsonScanError> {
  const scanner = new Scanner(bytes, limits);
  try {
    return ok(scanner.scan());
  } catch (thrown) {
    if (thrown instanceof Refusal) return err(thrown.error);
    throw thrown;
  }
}

/** Leaves the depths of the scan; never leaves this file. */
class Refusal extends Error {
  readonly error: JsonScanError;
  constructor(error: JsonScanError) {
    super(error.code);
    this.error = error;
  }
}

class Scanner {
  readonly #bytes: Buffer;
  readonly #limits: JsonLimits;
  #at = 0;
  #key: string | null = null;
  #backslashAt = -1;
  #values = 0;
  /** Most bodies have none at all, and no string of theirs is looked through. */
  #hasControls = false;
  readonly #fields = new Map<string, JsonField>();

  constructor(bytes: Buffer, limits: JsonLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  scan(): JsonObjectScan {
    this.#checkUnicode();
    this.#space();
    if (this.#bytes[this.#at] !== OPEN_BRACE) throw this.#refuse("NOT_AN_OBJECT");
    this.#at += 1;
    this.#space();
    if (this.#bytes[this.#at] !== CLOSE_BRACE) this.#topLevelFields();
    const closeAt = this.#at;
    this.#at += 1;
    this.#space();
    if (this.#at !== this.#bytes.length) throw this.#refuse("NOT_JSON");
    return { fields: this.#fields, closeAt };
  }

  #topLevelFields(): void {
    for (;;) {
      const name = this.#string("key");
      this.#afterName(name);
      this.#key = name;
      if (this.#fields.has(name)) throw this.#refuse("DUPLICATE_KEY");
      if (this.#fields.size >= this.#limits.topLevelKeysMax) throw this.#refuse("TOO_MANY_KEYS");
      const start = this.#at;
      this.#value();
      this.#fields.set(name, { start, end: this.#at });
      this.#key = null;
      this.#space();
      const next = this.#bytes[this.#at];
      if (next === CLOSE_BRACE) return;
      if (next !== COMMA) throw this.#refuse("NOT_JSON");
      this.#at += 1;
      this.#space();
    }
  }

  /** A key below the top matters only when it is the one that poisons objects. */
  #innerName(): void {
    this.#afterName(this.#string("inner key"));
  }

  /** Colon and the space around: stands at the value afterwards. */
  #afterName(name: string): void {
    if (name === "__proto__") throw this.#refuse("FORBIDDEN_KEY");
    this.#space();
    if (this.#bytes[this.#at] !== COLON) throw this.#refuse("NOT_JSON");
    this.#at += 1;
    this.#space();
  }

  /** One whole value of any depth, by an explicit stack of open brackets. */
  #value(): void {
    const open: number[] = [];
    for (;;) {
      const isOpened = this.#opensOrScalar(open);
      if (isOpened) continue;
      if (!this.#closesAndCommas(open)) return;
    }
  }

  /** @returns true when a bracket was opened and a value must follow. */
  #opensOrScalar(open: number[]): boolean {
    const first = this.#bytes[this.#at];
    this.#values += 1;
    if (this.#values > this.#limits.valuesMax) throw this.#refuse("TOO_MANY_VALUES");
    if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
      this.#scalar(first);
      return false;
    }
    open.push(first);
    // The object itself is one level.
    if (open.length + 1 > this.#limits.depthMax) throw this.#refuse("TOO_DEEP");
    this.#at += 1;
    this.#space();
    if (this.#bytes[this.#at] === (first === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)) {
      open.pop();
      this.#at += 1;
      return false;
    }
    if (first === OPEN_BRACE) this.#innerName();
    return true;
  }

  /** After a value: closes what ends here. @returns true when another value follows inside. */
  #closesAndCommas(open: number[]): boolean {
    for (;;) {
      const innermost = open.at(-1);
      if (innermost === undefined) return false;
      this.#space();
      const next = this.#bytes[this.#at];
      this.#at += 1;
      if (next === COMMA) {
        this.#space();
        if (innermost === OPEN_BRACE) this.#innerName();
        return true;
      }
      if (next !== (innermost === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)) throw this.#refuse("NOT_JSON");
      open.pop();
    }
  }

  #scalar(first: number | undefined): void {
    if (first === QUOTE) {
      this.#string("value");
      return;
    }
    if (first === MINUS || isDigit(first)) {
      this.#number();
      return;
    }
    for (const word of ["true", "false", "null"]) {
      if (first === word.charCodeAt(0) && this.#bytes.toString("latin1", this.#at, this.#at + word.length) === word) {
        this.#at += word.length;
        return;
      }
    }
    throw this.#refuse("NOT_JSON");
  }

  #number(): void {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    // Most numbers are token ids: a few digits and nothing else.
    while (isDigit(bytes[at])) at += 1;
    const digits = at - start;
    const isPlain = digits > 0 && digits <= 15 && (bytes[start] !== 0x30 || digits === 1) && !isNumberByte(bytes[at]);
    while (isNumberByte(bytes[at])) at += 1;
    if (at - start > this.#limits.numberBytesMax) throw this.#refuse("NUMBER_TOO_LONG");
    this.#at = at;
    if (isPlain) return;
    const text = bytes.toString("latin1", start, at);
    if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) throw this.#refuse("NOT_JSON");
    if (!Number.isFinite(Number(text))) throw this.#refuse("NUMBER_TOO_LARGE");
  }

  /** @returns the text of a key, and "" where the text does not matter. */
  #string(as: "key" | "inner key" | "value"): string {
    const bytes = this.#bytes;
    if (bytes[this.#at] !== QUOTE) throw this.#refuse("NOT_JSON");
    const start = this.#at + 1;
    let end = endOfShort(bytes, start);
    let hasEscape = false;
    if (end === -1) {
      end = bytes.indexOf(QUOTE, start);
      if (end === -1) throw this.#refuse("NOT_JSON");
      hasEscape = this.#nextBackslash(start) < end;
      if (hasEscape) end = this.#endOfEscaped(start);
    }
    if (this.#hasControls && hasControl(bytes, start, end)) throw this.#refuse("NOT_JSON");
    this.#at = end + 1;
    if (as === "value" || (as === "inner key" && !hasEscape && end - start !== "__proto__".length)) return "";
    const text = bytes.toString("utf8", start, end);
    return hasEscape ? unescape(text) : text;
  }

  /** The next one at or behind `from`: looked for once per backslash, or many strings would each search to the end. */
  #nextBackslash(from: number): number {
    if (this.#backslashAt < from) {
      const found = this.#bytes.indexOf(BACKSLASH, from);
      this.#backslashAt = found === -1 ? Infinity : found;
    }
    return this.#backslashAt;
  }

  /** Byte by byte: a search for each escape would cost more, and for a far quote the square of the string. */
  #endOfEscaped(from: number): number {
    const bytes = this.#bytes;
    let at = from;
    for (;;) {
      const byte = bytes[at];
      if (byte === QUOTE) return at;
      if (byte === undefined) throw this.#refuse("NOT_JSON");
      at = byte === BACKSLASH ? this.#escape(at) : at + 1;
    }
  }

  /** @returns the offset after the escape that starts at `at`. */
  #escape(at: number): number {
    const kind = this.#bytes[at + 1];
    if (kind !== 0x75) {
      if (kind === undefined || !SIMPLE_ESCAPES.has(kind)) throw this.#refuse("NOT_JSON");
      return at + 2;
    }
    const unit = this.#hexadecimal(at + 2);
    if (unit >= 0xdc00 && unit <= 0xdfff) throw this.#refuse("BAD_UNICODE");
    if (unit < 0xd800 || unit > 0xdbff) return at + 6;
    if (this.#bytes[at + 6] !== BACKSLASH || this.#bytes[at + 7] !== 0x75) throw this.#refuse("BAD_UNICODE");
    const low = this.#hexadecimal(at + 8);
    if (low < 0xdc00 || low > 0xdfff) throw this.#refuse("BAD_UNICODE");
    return at + 12;
  }

  #hexadecimal(at: number): number {
    let value = 0;
    for (let digitAt = at; digitAt < at + 4; digitAt += 1) {
      const digit = hexadecimalDigit(this.#bytes[digitAt]);
      if (digit === -1) throw this.#refuse("NOT_JSON");
      value = value * 16 + digit;
    }
    return value;
  }

  #space(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (;;) {
      const byte = bytes[at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      at += 1;
    }
    this.#at = at;
  }

  #checkUnicode(): void {
    try {
      this.#hasControls = CONTROL.test(utf8.decode(this.#bytes));
    } catch (cause) {
      if (cause instanceof TypeError) throw this.#refuse("BAD_UNICODE");
      throw cause;
    }
  }

  #refuse(code: JsonScanCode): Refusal {
    return new Refusal({ code, at: Math.min(this.#at, this.#bytes.length), key: this.#key });
  }
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
const isNumberByte = (byte: number | undefined): boolean =>
  isDigit(byte) || byte === MINUS || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45;

const SIMPLE_ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\\\/bfnrt'));
const SHORT_BYTES = 24;
const CONTROL = /\p{Cc}/u;

/** What JSON wants escaped: another parser would refuse it, and so must we. */
function hasControl(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if ((bytes[at] ?? 0) < SPACE) return true;
  return false;
}

/** The end of a string that is short and has no escape; -1 = search for it. A search costs more than a look at a few bytes. */
function endOfShort(bytes: Buffer, start: number): number {
  for (let at = start; at < start + SHORT_BYTES; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) return -1;
  }
  return -1;
}

function hexadecimalDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Escapes were checked by the scan. */
function unescape(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_whole, unit: string | undefined, simple: string) => {
    if (unit !== undefined) return String.fromCharCode(Number.parseInt(unit, 16));
    return { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }[simple] ?? simple;
  });
}
