import { isJsonObject, type JsonObject } from "../base/json.ts";

/** What one whole event means for the relay. */
export type SseEvent =
  /** Comment, keep-alive, or an event without data. */
  | { readonly kind: "empty" }
  /** `[DONE]`: the answer is complete. */
  | { readonly kind: "done" }
  /** A chunk that tells the client nothing yet: the role, an empty delta. */
  | { readonly kind: "preamble" }
  /** Text, a tool call, a finish reason, or usage. */
  | { readonly kind: "content"; readonly mayTellUsage: boolean }
  /** The engine reports that it failed. */
  | { readonly kind: "error" }
  /** No event that an OpenAI client can read. */
  | { readonly kind: "garbage" };

const DATA = Buffer.from("data:");
const DONE = Buffer.from("[DONE]");
const ERROR_KEY = Buffer.from('"error"');
const ABORT = Buffer.from('"abort"');
const USAGE_KEY = Buffer.from('"usage":');
const QUOTE = 0x22;

/** Reads an event before the first content token: needs the whole JSON, happens a few times per stream. */
export function parseSseEvent(frame: Buffer): SseEvent {
  const quick = glanceSseEvent(frame);
  if (quick.kind !== "content") return quick;
  const chunk = parseSseJson(frame);
  if (chunk === null) return { kind: "garbage" };
  return tellsSomething(chunk) ? quick : { kind: "preamble" };
}

/** Reads an event after the first content token: looks at the edges of the bytes only. */
export function glanceSseEvent(frame: Buffer): SseEvent {
  const payload = payloadOf(frame);
  if (payload.length === 0) return { kind: "empty" };
  if (payload.length === DONE.length && isAt(payload, 0, DONE)) return { kind: "done" };
  if (payload[0] !== 0x7b || payload.at(-1) !== 0x7d) return { kind: "garbage" };
  const marks = marksOf(payload);
  return (marks & MAY_BE_ERROR) === 0 ? contentOf(marks) : readPossibleError(payload, marks);
}

/** Tokens as the engine counted them; null when the event carries none. Reads all of the JSON: for events that may tell them. */
export function parseSseUsage(
  frame: Buffer,
): { readonly promptTokens: number; readonly outputTokens: number; readonly isAlone: boolean } | null {
  const chunk = parseSseJson(frame);
  const usage = chunk === null ? null : parseUsage(chunk["usage"]);
  if (chunk === null || usage === null) return null;
  const choices = chunk["choices"];
  return { ...usage, isAlone: Array.isArray(choices) && choices.length === 0 };
}

export function parseUsage(usage: unknown): { readonly promptTokens: number; readonly outputTokens: number } | null {
  if (!isJsonObject(usage)) return null;
  // Responses have names of their own.
  const prompt = usage["prompt_tokens"] ?? usage["input_tokens"];
  const output = usage["completion_tokens"] ?? usage["output_tokens"];
  if (typeof prompt !== "number") return null;
  return { promptTokens: prompt, outputTokens: typeof output === "number" ? output : 0 };
}

/** The text after `data:`; several data lines joined; without line ends. */
function payloadOf(frame: Buffer): Buffer {
  const start = skipLineEnds(frame);
  if (!isAt(frame, start, DATA)) return dataLinesOf(frame);
  let end = frame.length;
  while (end > start && isLineEnd(frame[end - 1])) end -= 1;
  const from = frame[start + DATA.length] === 0x20 ? start + DATA.length + 1 : start + DATA.length;
  for (let at = from; at < end; at += 1) if (isLineEnd(frame[at])) return dataLinesOf(frame);
  return frame.subarray(from, Math.max(from, end));
}

/** The slow way, for events with names, comments or several data lines. */
function dataLinesOf(frame: Buffer): Buffer {
  const lines = frame.toString("utf8").split(/\r\n|\n|\r/);
  const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(line.startsWith("data: ") ? 6 : 5));
  return Buffer.from(data.join("\n"));
}

function skipLineEnds(frame: Buffer): number {
  let at = 0;
  while (isLineEnd(frame[at])) at += 1;
  return at;
}

const isLineEnd = (byte: number | undefined): boolean => byte === 0x0a || byte === 0x0d;

const MAY_BE_ERROR = 0b01;
const MAY_TELL_USAGE = 0b10;
const CONTENT: SseEvent = { kind: "content", mayTellUsage: false };
const CONTENT_AND_USAGE: SseEvent = { kind: "content", mayTellUsage: true };
const contentOf = (marks: number): SseEvent => ((marks & MAY_TELL_USAGE) === 0 ? CONTENT : CONTENT_AND_USAGE);

/** What makes an event worth its whole JSON. One walk over the bytes of a token costs a fraction of three searches. */
function marksOf(payload: Buffer): number {
  let marks = 0;
  for (let at = 0; at < payload.length; at += 1) {
    if (payload[at] !== QUOTE) continue;
    if (isAt(payload, at, ERROR_KEY) || isAt(payload, at, ABORT)) marks |= MAY_BE_ERROR;
    else if (isAt(payload, at, USAGE_KEY) && isObjectAt(payload, at + USAGE_KEY.length)) marks |= MAY_TELL_USAGE;
  }
  return marks;
}

/** Most engines say `null` with every token that is not the last. */
const isObjectAt = (payload: Buffer, at: number): boolean => payload[payload[at] === 0x20 ? at + 1 : at] === 0x7b;

export function isAt(bytes: Buffer, at: number, mark: Buffer): boolean {
  for (let index = 0; index < mark.length; index += 1) if (bytes[at + index] !== mark[index]) return false;
  return true;
}

function readPossibleError(payload: Buffer, marks: number): SseEvent {
  const chunk = parseChunk(payload);
  if (chunk === null) return { kind: "garbage" };
  const error = chunk["error"];
  return (error === undefined || error === null) && !isAborted(chunk) ? contentOf(marks) : { kind: "error" };
}

/** An engine that is put to sleep ends its answers so: cut short, whatever their form says. */
export function isAborted(answer: JsonObject): boolean {
  const choices = answer["choices"];
  return Array.isArray(choices) && choices.some((choice: unknown) => isJsonObject(choice) && choice["finish_reason"] === "abort");
}

/** The JSON object of an event; null when it is none. */
export const parseSseJson = (frame: Buffer): JsonObject | null => parseChunk(payloadOf(frame));

function parseChunk(payload: Buffer): JsonObject | null {
  if (isTooDeep(payload)) return null;
  try {
    const value = JSON.parse(payload.toString("utf8")) as unknown;
    return isJsonObject(value) ? value : null;
  } catch (cause) {
    if (cause instanceof SyntaxError) return null;
    throw cause;
  }
}

/** Tools of a client nest a hundred deep, and an event that repeats them a few more. What is nested some thousand deep cannot be written again. */
const DEPTH_MAX = 200;
const BACKSLASH = 0x5c;
/** Both kinds of brackets differ in this bit alone. */
const CURLY = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;

function isTooDeep(payload: Buffer): boolean {
  if (payload.length <= 2 * DEPTH_MAX) return false;
  let depth = 0;
  for (let at = 0; at < payload.length; at += 1) {
    const byte = payload[at] ?? 0;
    if (byte === QUOTE) at = endOfText(payload, at + 1);
    else if ((byte | CURLY) === OPEN) depth += 1;
    else if ((byte | CURLY) === CLOSE) depth -= 1;
    if (depth > DEPTH_MAX) return true;
  }
  return false;
}

function endOfText(payload: Buffer, from: number): number {
  let at = from;
  while (at < payload.length && payload[at] !== QUOTE) at += payload[at] === BACKSLASH ? 2 : 1;
  return at;
}

function tellsSomething(chunk: JsonObject): boolean {
  const choices = chunk["choices"];
  if (!Array.isArray(choices) || choices.length === 0) return isJsonObject(chunk["usage"]);
  return choices.some((choice: unknown) => {
    if (!isJsonObject(choice)) return false;
    if (isText(choice["text"]) || typeof choice["finish_reason"] === "string") return true;
    const delta = choice["delta"];
    if (!isJsonObject(delta)) return false;
    return Object.entries(delta).some(([key, value]) => key !== "role" && (isText(value) || (typeof value === "object" && value !== null)));
  });
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
