import { err, ok, type Result } from "../base/result.ts";
import { isJsonObject } from "../base/json.ts";
import { continuityOf, type Continuity } from "./continuity.ts";
import type { JsonField } from "./json-scan.ts";
import { spliceJson, type JsonEdit } from "./json-splice.ts";
import type { OpenAiApi } from "./openai-api.ts";
import { arePlainMessages } from "./plain-messages.ts";
import { invalid, isCount, isLong, readRequestFields, readStream, readTokenLimit, valueOf, type InvalidRequest } from "./request-fields.ts";

/** What the gateway reads of a request for an engine; the rest passes through unread. */
export interface CompletionRequest {
  readonly api: OpenAiApi;
  readonly model: string;
  readonly isStream: boolean;
  /** The most tokens that the answer may have, by whatever name its API has for it; null = not said. */
  readonly maxTokens: number | null;
  readonly n: number;
  readonly includesUsage: boolean;
  readonly continuity: Continuity;
  readonly streamOptionsField: JsonField | null;
  /** Of the limit that the gateway sets where the client sets none. */
  readonly limitField: JsonField | null;
  readonly modelField: JsonField;
  readonly closeAt: number;
  /** What of the body is changed on its way to any engine. */
  readonly edits: readonly JsonEdit[];
}

const READ_KEYS = ["model", "stream", "max_tokens", "max_completion_tokens", "n", "stream_options"];
const COUNT_MAX = 128;

/** Of a chat, `max_completion_tokens` goes before `max_tokens`; completions do not know it. */
export function readCompletionRequest(bytes: Buffer, api: "chat" | "completions" = "chat"): Result<CompletionRequest, InvalidRequest> {
  const known = readRequestFields(bytes, READ_KEYS);
  if (!known.ok) return known;
  const { model, modelField, fields, closeAt, read } = known.value;
  const stream = readStream(known.value);
  if (!stream.ok) return stream;
  const n = read("n") ?? 1;
  if (!isCount(n) || n > COUNT_MAX) return err(invalid("invalid_value", `'n' must be a whole number from 1 to ${COUNT_MAX}.`, "n"));
  const limit = api === "completions" || (read("max_completion_tokens") ?? null) === null ? "max_tokens" : "max_completion_tokens";
  const maxTokens = readTokenLimit(known.value, limit);
  if (!maxTokens.ok) return maxTokens;
  const options = read("stream_options") ?? null;
  // Usage is asked for in it: what is no object, or too long to be read, would be lost.
  if (options === null ? isLong(fields.get("stream_options")) : !isJsonObject(options))
    return err(invalid("invalid_type", "'stream_options' must be a small object.", "stream_options"));
  return ok({
    api,
    model,
    isStream: stream.value,
    maxTokens: maxTokens.value,
    n,
    includesUsage: asksUsage(options),
    continuity: continuityOf(fields, {
      n,
      isBatch: isBatch(bytes, fields.get("prompt")),
      // What is no stream is never gone on with: its messages are not looked through.
      isPlain: (messages) => !stream.value || arePlainMessages(bytes, messages),
      read,
    }),
    modelField,
    limitField: fields.get("max_tokens") ?? null,
    streamOptionsField: fields.get("stream_options") ?? null,
    closeAt,
    edits: [],
  });
}

export interface BodyChange {
  readonly upstreamModel: string | null;
  readonly maxTokens: number | null;
  /** The engine is asked to name the ids of its tokens. */
  readonly asksIds: boolean;
  /** The engine is asked to count its tokens at the end of the stream. */
  readonly asksUsage: boolean;
}

/** The body for the engine: another model name in place, what the gateway asks for added, every other byte as the client sent it. */
export function completionBodyFor(bytes: Uint8Array, request: CompletionRequest, change: BodyChange): Uint8Array {
  const edits: JsonEdit[] = [...request.edits];
  if (change.upstreamModel !== null && change.upstreamModel !== request.model) {
    edits.push({ ...request.modelField, text: JSON.stringify(change.upstreamModel) });
  }
  const { streamOptionsField, limitField } = request;
  // A client may name a limit and say nothing by it: the same key must not stand in a body twice.
  const isLimitNamed = change.maxTokens !== null && limitField !== null;
  if (isLimitNamed) edits.push({ ...limitField, text: `${change.maxTokens}` });
  const addedLimit = change.maxTokens === null || isLimitNamed ? "" : `,"${LIMIT_NAME[request.api]}":${change.maxTokens}`;
  const added = addedLimit + (change.asksIds ? ',"return_token_ids":true' : "");
  const addedOptions = change.asksUsage && streamOptionsField === null ? ',"stream_options":{"include_usage":true}' : "";
  if (change.asksUsage && streamOptionsField !== null) edits.push({ ...streamOptionsField, text: withUsage(bytes, streamOptionsField) });
  if (added + addedOptions !== "") edits.push({ start: request.closeAt, end: request.closeAt, text: added + addedOptions });
  return spliceJson(bytes, edits);
}

const LIMIT_NAME: Readonly<Record<OpenAiApi, string>> = {
  chat: "max_tokens",
  completions: "max_tokens",
  embeddings: "max_tokens",
  responses: "max_output_tokens",
};

function withUsage(bytes: Uint8Array, field: JsonField): string {
  const options = valueOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), field);
  return JSON.stringify({ ...(isJsonObject(options) ? options : {}), include_usage: true });
}

/** A list of prompts, and not one prompt of ids. */
function isBatch(bytes: Buffer, prompt: JsonField | undefined): boolean {
  if (prompt === undefined || bytes[prompt.start] !== OPEN_BRACKET) return false;
  let at = prompt.start + 1;
  while (isSpace(bytes[at])) at += 1;
  return bytes[at] === QUOTE || bytes[at] === OPEN_BRACKET;
}
const OPEN_BRACKET = 0x5b;
const QUOTE = 0x22;
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

const asksUsage = (options: unknown): boolean => isJsonObject(options) && options["include_usage"] === true;
