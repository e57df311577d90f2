import { isAt, parseSseJson } from "./parse-sse-event.ts";

/** What one chunk of a streamed answer carries beside what its client asked for, and what it says to a journal. */
export interface ChunkReading {
  /** The chunk for the client, with what only the gateway asked for taken out; null = nothing is left to tell. */
  readonly shown: Buffer | null;
  /** The same, whatever it tells. */
  readonly rest: Buffer;
  /** Token ids of the answer as the engine wrote them: `12,345`; null = none. */
  readonly ids: Buffer | null;
  readonly idCount: number;
  /** Those of the prompt, in the first chunk that names them. */
  readonly promptIds: Buffer | null;
  readonly promptCount: number;
  /** It shows text, arguments of a call or a reason for the end: all ids so far are in what was shown. */
  readonly isShowing: boolean;
  /** It says something that only the engine's own parser of this answer can go on with: a call, or reasoning. */
  readonly isParsed: boolean;
  readonly hasFinish: boolean;
  /** It is the one that counts the tokens of the whole, and says nothing else. */
  readonly tellsUsage: boolean;
}

export interface ChunkWish {
  /** Ids were asked for by the gateway alone. */
  readonly takesIds: boolean;
  /** Usage was asked for by the gateway alone. */
  readonly takesUsage: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const SPACE = 0x20;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const NINE = 0x39;
const NOUGHT = 0x30;

const bytesOf = (text: string): Buffer => Buffer.from(text);
const TOKEN_IDS = bytesOf('"token_ids":');
const PROMPT_IDS = bytesOf('"prompt_token_ids":');
const USAGE = bytesOf('"usage":null');
const NO_CHOICES = bytesOf('"choices":[]');
const NULL = bytesOf("null");

type Mark = "ids" | "prompt" | "usage" | "shown" | "finish" | "role" | "parsed" | "counted";
const KEYS: readonly (readonly [Buffer, Mark])[] = [
  [TOKEN_IDS, "ids"],
  [PROMPT_IDS, "prompt"],
  [USAGE, "usage"],
  [bytesOf('"content":"'), "shown"],
  [bytesOf('"text":"'), "shown"],
  [bytesOf('"arguments":"'), "shown"],
  [bytesOf('"finish_reason":"'), "finish"],
  [bytesOf('"role":"'), "role"],
  [bytesOf('"reasoning_content":"'), "parsed"],
  [bytesOf('"reasoning":"'), "parsed"],
  [bytesOf('"tool_calls":[{'), "parsed"],
  [bytesOf('"function_call":{'), "parsed"],
  [bytesOf('"usage":{'), "counted"],
];
/** By the letter after the quote: most quotes of a chunk begin nothing of ours, and cost one look. */
const KEYS_BY_LETTER: readonly (typeof KEYS)[] = Array.from({ length: 256 }, (_, letter) => KEYS.filter(([key]) => key[1] === letter));

interface Cut {
  readonly from: number;
  readonly to: number;
}

/**
 * Reads the bytes of one whole event, in one walk and without building its JSON. A key stands for itself: inside a text its quotes are
 * escaped, so that what an answer says is never taken for one.
 * @returns null when the ids are none: an engine's bytes are sent to another one only as digits and commas.
 */
export function readChunkExtras(given: Buffer, wish: ChunkWish): ChunkReading | null {
  const frame = isSpaced(given) ? compacted(given) : given;
  if (frame === null) return null;
  const cuts: Cut[] = [];
  let ids: Buffer | null = null;
  let promptIds: Buffer | null = null;
  let idCount = 0;
  let promptCount = 0;
  const seen = { shown: false, parsed: false, finish: false, role: false, counted: false };
  for (let at = 0; at < frame.length; at += 1) {
    if (frame[at] !== QUOTE) continue;
    const found = keyAt(frame, at);
    if (found === null) continue;
    const [key, mark] = found;
    const end = at + key.length;
    if (mark === "ids" || mark === "prompt") {
      const list = listAt(frame, end);
      if (list === null) return null;
      if (mark === "ids") {
        ids = joined(ids, list.ids);
        idCount += list.count;
      } else if (list.ids !== null) {
        promptIds = list.ids;
        promptCount = list.count;
      }
      if (wish.takesIds) cuts.push(cutOf(frame, at, list.end));
      at = list.end - 1;
    } else if (mark !== "usage") seen[mark] ||= mark !== "shown" || frame[end] !== QUOTE;
    else if (wish.takesUsage) cuts.push(cutOf(frame, at, end));
  }
  const isShowing = seen.shown || seen.parsed || seen.finish;
  const isTelling = isShowing || seen.role || ids === null;
  const rest = without(frame, cuts);
  return {
    shown: isTelling ? rest : null,
    rest,
    ids,
    idCount,
    promptIds,
    promptCount,
    isShowing,
    isParsed: seen.parsed,
    hasFinish: seen.finish,
    tellsUsage: seen.counted && frame.includes(NO_CHOICES),
  };
}

const OPEN_BRACE = 0x7b;
const COLON = 0x3a;

/** Its writer puts spaces between keys and values, as Python's own does: told by the first key. */
function isSpaced(frame: Buffer): boolean {
  const at = frame.indexOf(OPEN_BRACE);
  if (at === -1) return false;
  if (frame[at + 1] !== QUOTE) return true;
  const end = frame.indexOf(QUOTE, at + 2);
  return frame[end + 1] !== COLON || (frame[end + 2] ?? 0) <= SPACE;
}

/** The same chunk without spaces. null = it is none. */
function compacted(frame: Buffer): Buffer | null {
  const chunk = parseSseJson(frame);
  return chunk === null ? null : bytesOf(`data: ${JSON.stringify(chunk)}\n\n`);
}

function keyAt(frame: Buffer, at: number): readonly [Buffer, Mark] | null {
  for (const entry of KEYS_BY_LETTER[frame[at + 1] ?? 0] ?? []) if (isAt(frame, at, entry[0])) return entry;
  return null;
}

interface IdList {
  readonly ids: Buffer | null;
  readonly count: number;
  readonly end: number;
}

/** A list of ids, or null in its place. What stands in it is sent to another engine as it is: it must be JSON there too. */
function listAt(frame: Buffer, start: number): IdList | null {
  const at = frame[start] === SPACE ? start + 1 : start;
  if (isAt(frame, at, NULL)) return { ids: null, count: 0, end: at + NULL.length };
  if (frame[at] !== OPEN_BRACKET) return null;
  let count = 0;
  for (let to = at + 1; ; to += 1) {
    to = afterSpaces(frame, to);
    if (count === 0 && frame[to] === CLOSE_BRACKET) return { ids: null, count, end: to + 1 };
    const from = to;
    for (let byte = frame[to] ?? 0; byte >= NOUGHT && byte <= NINE; byte = frame[to] ?? 0) to += 1;
    if (to === from || to - from > DIGITS_MAX || (to - from > 1 && frame[from] === NOUGHT)) return null;
    count += 1;
    to = afterSpaces(frame, to);
    if (frame[to] === CLOSE_BRACKET) return { ids: frame.subarray(at + 1, to), count, end: to + 1 };
    if (frame[to] !== COMMA) return null;
  }
}

/** No vocabulary has more than four thousand million. */
const DIGITS_MAX = 10;

function afterSpaces(frame: Buffer, from: number): number {
  let at = from;
  while (frame[at] === SPACE) at += 1;
  return at;
}

/** With the comma that parts it from its neighbours. */
function cutOf(frame: Buffer, from: number, to: number): Cut {
  let before = from - 1;
  while (frame[before] === SPACE) before -= 1;
  if (frame[before] === COMMA) return { from: before, to };
  const after = afterSpaces(frame, to);
  return { from, to: frame[after] === COMMA ? after + 1 : to };
}

function without(frame: Buffer, cuts: readonly Cut[]): Buffer {
  if (cuts.length === 0) return frame;
  const cutBytes = cuts.reduce((sum, { from, to }) => sum + to - from, 0);
  const shown = Buffer.allocUnsafe(frame.length - cutBytes);
  let written = 0;
  let from = 0;
  for (const cut of cuts) {
    written += frame.copy(shown, written, from, cut.from);
    from = cut.to;
  }
  frame.copy(shown, written, from);
  return shown;
}

const joined = (one: Buffer | null, other: Buffer | null): Buffer | null =>
  one === null || other === null ? (one ?? other) : Buffer.concat([one, Buffer.from(","), other]);
