import { isJsonObject, type JsonObject } from "../base/json.ts";
import { isAt, parseSseJson, parseUsage } from "./parse-sse-event.ts";

/** What one whole event of a streamed response means for the relay. */
export type ResponsesEvent =
  /** Comment, keep-alive, or an event without data. */
  | { readonly kind: "empty" }
  /** It says that an answer is being made, and nothing of it. */
  | { readonly kind: "preamble" }
  | { readonly kind: "content" }
  /** The response is complete, or as complete as its limits allow. */
  | { readonly kind: "end"; readonly tokens: { readonly promptTokens: number; readonly outputTokens: number } | null }
  /** The engine reports that it failed. */
  | { readonly kind: "error" }
  /** No event that an OpenAI client can read. */
  | { readonly kind: "garbage" };

const EVENT = Buffer.from("event: response.");
const DATA = Buffer.from("data: {");
const DELTA = Buffer.from(".delta");
const LF = 0x0a;
const CLOSE_BRACE = 0x7d;

const PREAMBLES: ReadonlySet<unknown> = new Set([
  "response.created",
  "response.queued",
  "response.in_progress",
  "response.output_item.added",
  "response.content_part.added",
  "response.reasoning_summary_part.added",
]);
const FAILURES: ReadonlySet<unknown> = new Set(["error", "response.failed", "response.cancelled"]);
/** What may leave a response incomplete and is still its end. */
const LIMITS: ReadonlySet<unknown> = new Set(["max_output_tokens", "max_tokens", "content_filter"]);

/** A delta, as nearly all events are, is known by the edges of its bytes; of others all JSON is read. */
export function readResponsesEvent(frame: Buffer): ResponsesEvent {
  if (isDelta(frame)) return CONTENT;
  const event = parseSseJson(frame);
  if (event === null) return hasData(frame) ? { kind: "garbage" } : { kind: "empty" };
  const { type, response } = event;
  if (PREAMBLES.has(type)) return { kind: "preamble" };
  if (FAILURES.has(type) || (type === undefined && event["error"] !== undefined)) return { kind: "error" };
  if (typeof type !== "string") return { kind: "garbage" };
  if (type !== "response.completed" && type !== "response.incomplete") return CONTENT;
  if (!isJsonObject(response) || isBrokenOff(response)) return { kind: "error" };
  return { kind: "end", tokens: parseUsage(response["usage"]) };
}

const CONTENT: ResponsesEvent = { kind: "content" };

/** An engine gave it up: whatever its form says, it is no answer. */
export function isBrokenOff({ status, error, incomplete_details: details }: JsonObject): boolean {
  if (status === "failed" || status === "cancelled" || (error ?? null) !== null) return true;
  return status === "incomplete" && isJsonObject(details) && !LIMITS.has(details["reason"]);
}

/** `event: response.(...).delta`, one line of data, a blank line. */
function isDelta(frame: Buffer): boolean {
  if (!isAt(frame, 0, EVENT)) return false;
  const lineEnd = frame.indexOf(LF);
  if (!isAt(frame, lineEnd - DELTA.length, DELTA) || !isAt(frame, lineEnd + 1, DATA)) return false;
  const end = frame.length;
  return frame[end - 1] === LF && frame[end - 2] === LF && frame[end - 3] === CLOSE_BRACE && frame.indexOf(LF, lineEnd + 1) === end - 2;
}

const hasData = (frame: Buffer): boolean => /(?:^|[\r\n])data:[^\r\n]*\S/.test(frame.toString("utf8"));

/** Where it stands among the events of its response; null = it does not say. */
export function sequenceOf(frame: Buffer): number | null {
  const number = parseSseJson(frame)?.["sequence_number"];
  return typeof number === "number" ? number : null;
}

/** An event in the form of the API: its name is its type. */
export const responsesEvent = (event: JsonObject & { readonly type: string }): Buffer =>
  Buffer.from(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
