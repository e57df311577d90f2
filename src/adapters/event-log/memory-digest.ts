import type { JsonObject, JsonValue } from "../../base/json.ts";
import type { LoggedEvent } from "../../ports/event-log.ts";

const MULTIPLIER_ONE = 0x85eb_ca6b;
const MULTIPLIER_TWO = 0xc2b2_ae35;
/** One word before each value says what it is, so that no two different events are one row of words. */
const MARK = { null: 1, true: 2, false: 3, integer: 4, fraction: 5, text: 6, list: 7, object: 8, end: 9 } as const;

/**
 * A running digest of events, 64 bits, in the order of their members: equal histories have equal digests. Finds differences that
 * happen, not such as are made. Mixed as MurmurHash3 does (Appleby, public domain), in two lanes; nothing is rendered as text.
 */
export class MemoryDigest {
  readonly #scratch = new Float64Array(1);
  readonly #words = new Int32Array(this.#scratch.buffer);
  #one = 0x1234_5678;
  #two = 0x6789_abcd;
  #count = 0;

  add({ level, event, fields }: LoggedEvent): void {
    this.#count += 1;
    this.#text(level);
    this.#text(event);
    this.#object(fields);
  }

  /** 16 hexadecimal digits. */
  hex(): string {
    return hex32(finish(this.#one ^ this.#count)) + hex32(finish(this.#two ^ this.#one));
  }

  #value(value: JsonValue): void {
    if (typeof value === "string") return this.#text(value);
    if (typeof value === "number") return this.#number(value);
    if (value === null) return this.#mix(MARK.null);
    if (typeof value === "boolean") return this.#mix(value ? MARK.true : MARK.false);
    if (!isList(value)) return this.#object(value);
    this.#mix(MARK.list);
    for (const item of value) this.#value(item);
    this.#mix(MARK.end);
  }

  #object(fields: JsonObject): void {
    this.#mix(MARK.object);
    for (const name in fields) {
      const value = fields[name];
      if (value === undefined) continue;
      this.#text(name);
      this.#value(value);
    }
    this.#mix(MARK.end);
  }

  #number(value: number): void {
    if (value === (value | 0)) {
      this.#mix(MARK.integer);
      return this.#mix(value | 0);
    }
    this.#mix(MARK.fraction);
    this.#scratch[0] = value;
    this.#mix(this.#words[0] ?? 0);
    this.#mix(this.#words[1] ?? 0);
  }

  #text(text: string): void {
    this.#mix(MARK.text ^ (text.length << 8));
    for (let at = 0; at < text.length; at += 1) this.#mix(text.charCodeAt(at));
  }

  #mix(word: number): void {
    const one = Math.imul(this.#one ^ word, MULTIPLIER_ONE);
    this.#one = (one << 13) | (one >>> 19);
    const two = Math.imul(this.#two ^ word, MULTIPLIER_TWO);
    this.#two = (two << 15) | (two >>> 17);
  }
}

const isList = (value: readonly JsonValue[] | JsonObject): value is readonly JsonValue[] => Array.isArray(value);

function finish(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, MULTIPLIER_ONE);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, MULTIPLIER_TWO);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const hex32 = (word: number): string => word.toString(16).padStart(8, "0");
