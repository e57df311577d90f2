import { err, ok, type Result } from "../base/result.ts";

export interface JsonLimits {
  readonly depthMax: number;
  /** Longest number literal: more digits than any real value has. */
  readonly numberBytesMax: number;
  readonly topLevelKeysMax: number;
}
export const JSON_LIMITS: JsonLimits = { depthMax: 100, numberBytesMax: 64, topLevelKeysMax: 200 };

export type JsonScanCode =
  | "NOT_JSON"
  | "NOT_AN_OBJECT"
  | "TOO_DEEP"
  | "DUPLICATE_KEY"
  | "FORBIDDEN_KEY"
  | "NUMBER_TOO_LONG"
  | "NUMBER_TOO_LARGE"
  | "TOO_MANY_KEYS"
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
      const name = this.#fieldName();
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

  /** Key, colon, and the space around: stands at the value afterwards. */
  #fieldName(): string {
    const name = this.#string("key");
    if (name === "__proto__") throw this.#refuse("FORBIDDEN_KEY");
    this.#space();
    if (this.#bytes[this.#at] !== COLON) throw this.#refuse("NOT_JSON");
    this.#at += 1;
    this.#space();
    return name;
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
    if (first === OPEN_BRACE) this.#fieldName();
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
        if (innermost === OPEN_BRACE) this.#fieldName();
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
    const start = this.#at;
    let at = start;
    while (isNumberByte(this.#bytes[at])) {
      at += 1;
      if (at - start > this.#limits.numberBytesMax) throw this.#refuse("NUMBER_TOO_LONG");
    }
    this.#at = at;
    // Most numbers are token ids: a few digits and nothing else.
    if (at - start <= 15 && this.#isPlainInteger(start, at)) return;
    const text = this.#bytes.toString("latin1", start, at);
    if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) throw this.#refuse("NOT_JSON");
    if (!Number.isFinite(Number(text))) throw this.#refuse("NUMBER_TOO_LARGE");
  }

  #isPlainInteger(start: number, end: number): boolean {
    if (this.#bytes[start] === 0x30) return end - start === 1;
    for (let at = start; at < end; at += 1) if (!isDigit(this.#bytes[at])) return false;
    return true;
  }

  /** Text is built only for keys. */
  #string(as: "key" | "value"): string {
    if (this.#bytes[this.#at] !== QUOTE) throw this.#refuse("NOT_JSON");
    const start = this.#at;
    let end = this.#bytes.indexOf(QUOTE, start + 1);
    if (end === -1) throw this.#refuse("NOT_JSON");
    const hasEscape = this.#nextBackslash(start + 1) < end;
    if (hasEscape) end = this.#endOfEscaped(start + 1);
    this.#at = end + 1;
    if (as === "value") return "";
    if (!hasEscape) return this.#bytes.toString("utf8", start + 1, end);
    return unescape(this.#bytes.toString("utf8", start + 1, end));
  }

  #nextBackslash(from: number): number {
    if (this.#backslashAt < from) {
      const found = this.#bytes.indexOf(BACKSLASH, from);
      this.#backslashAt = found === -1 ? Infinity : found;
    }
    return this.#backslashAt;
  }

  #endOfEscaped(from: number): number {
    let at = from;
    for (;;) {
      const quote = this.#bytes.indexOf(QUOTE, at);
      if (quote === -1) throw this.#refuse("NOT_JSON");
      const backslash = this.#nextBackslash(at);
      if (quote < backslash) return quote;
      at = this.#escape(backslash);
    }
  }

  /** @returns the offset after the escape that starts at `at`. */
  #escape(at: number): number {
    const kind = this.#bytes[at + 1];
    if (kind === undefined) throw this.#refuse("NOT_JSON");
    if (kind !== 0x75) {
      if (!'"\\/bfnrt'.includes(String.fromCharCode(kind))) throw this.#refuse("NOT_JSON");
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
    const digits = this.#bytes.toString("latin1", at, at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#refuse("NOT_JSON");
    return Number.parseInt(digits, 16);
  }

  #space(): void {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at += 1;
    }
  }

  #checkUnicode(): void {
    try {
      utf8.decode(this.#bytes);
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

/** Escapes were checked by the scan. */
function unescape(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_whole, unit: string | undefined, simple: string) => {
    if (unit !== undefined) return String.fromCharCode(Number.parseInt(unit, 16));
    return { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }[simple] ?? simple;
  });
}
