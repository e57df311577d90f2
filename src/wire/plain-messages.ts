import type { JsonField } from "./json-scan.ts";
import { isAt } from "./parse-sse-event.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** What messages of text have. Whatever an engine makes an image, a sound or a file of has a key of its own. */
const KEYS = new Set(
  ["role", "content", "name", "type", "text", "refusal", "reasoning", "reasoning_content"].concat([
    "tool_calls",
    "tool_call_id",
    "function_call",
    "id",
    "index",
    "function",
    "arguments",
  ]),
);
const KEY_BYTES_MAX = Math.max(...[...KEYS].map((key) => key.length));
const TYPES: readonly Buffer[] = [Buffer.from('"text"'), Buffer.from('"function"')];

/**
 * Do messages surely consist of text alone? Their ids say all of it then; of an image they hold only its place. Goes from quote to quote and
 * builds nothing: long texts cost a search for their end.
 * @param bytes JSON that was scanned.
 */
export function arePlainMessages(bytes: Buffer, { start, end }: JsonField): boolean {
  for (let at = bytes.indexOf(QUOTE, start); at !== -1 && at < end; at = bytes.indexOf(QUOTE, at)) {
    const close = endOfText(bytes, at + 1);
    const after = afterSpace(bytes, close + 1);
    if (bytes[after] === COLON && !isPlainKey(bytes, { start: at + 1, end: close }, afterSpace(bytes, after + 1))) return false;
    at = close + 1;
  }
  return true;
}

/** A key in escapes is none that we know. */
function isPlainKey(bytes: Buffer, { start, end }: JsonField, valueAt: number): boolean {
  if (end - start > KEY_BYTES_MAX) return false;
  const key = bytes.toString("latin1", start, end);
  return KEYS.has(key) && (key !== "type" || TYPES.some((type) => isAt(bytes, valueAt, type)));
}

/** Searched for; with a quote in escapes byte by byte, because a search for each costs more. */
function endOfText(bytes: Buffer, from: number): number {
  const found = bytes.indexOf(QUOTE, from);
  if (found === from || bytes[found - 1] !== BACKSLASH) return found;
  let at = from;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

function afterSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at += 1;
  return at;
}
