import { err, ok, type Result } from "../base/result.ts";
import { isJsonObject } from "../base/json.ts";
import { continuityOf, VALUE_BYTES_MAX, type Continuity } from "./continuity.ts";
import { scanJsonObject, type JsonField, type JsonScanError } from "./json-scan.ts";
import { spliceJson, type JsonEdit } from "./json-splice.ts";

/** What the gateway reads of a chat or completion request; the rest passes through unread. */
export interface CompletionRequest {
  readonly model: string;
  readonly isStream: boolean;
  /** `max_completion_tokens` before `max_tokens`; null = not said. */
  readonly maxTokens: number | null;
  readonly n: number;
  readonly includesUsage: boolean;
  readonly continuity: Continuity;
  readonly streamOptionsField: JsonField | null;
  readonly maxTokensField: JsonField | null;
  readonly modelField: JsonField;
  readonly closeAt: number;
}

export interface InvalidRequest {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
}

const READ_KEYS = ["model", "stream", "max_tokens", "max_completion_tokens", "n", "stream_options"];
const COUNT_MAX = 128;

export function readCompletionRequest(bytes: Buffer): Result<CompletionRequest, InvalidRequest> {
  const scan = scanJsonObject(bytes);
  if (!scan.ok) return err(explainScan(scan.error));
  const { fields, closeAt } = scan.value;
  for (const key of fields.keys()) {
    const known = READ_KEYS.find((name) => name === key.toLowerCase());
    if (known !== undefined && known !== key)
      return err(invalid("unknown_parameter", `Unknown parameter '${known}' in another case.`, known));
  }
  const read = (key: string): unknown => valueOf(bytes, fields.get(key));
  const modelField = fields.get("model");
  const model = read("model");
  if (modelField === undefined || typeof model !== "string" || model === "") {
    return err(invalid("missing_required_parameter", "'model' must name a model.", "model"));
  }
  const stream = read("stream") ?? false;
  if (typeof stream !== "boolean") return err(invalid("invalid_type", "'stream' must be true or false.", "stream"));
  const n = read("n") ?? 1;
  if (!isCount(n) || n > COUNT_MAX) return err(invalid("invalid_value", `'n' must be a whole number from 1 to ${COUNT_MAX}.`, "n"));
  const limit = (read("max_completion_tokens") ?? null) === null ? "max_tokens" : "max_completion_tokens";
  const maxTokens = read(limit) ?? null;
  if (maxTokens !== null && !isCount(maxTokens)) return err(invalid("invalid_value", `'${limit}' must be a whole number above 0.`, limit));
  const options = read("stream_options") ?? null;
  // Usage is asked for in it: what is no object, or too long to be read, would be lost.
  if (options === null ? isLong(fields.get("stream_options")) : !isJsonObject(options))
    return err(invalid("invalid_type", "'stream_options' must be a small object.", "stream_options"));
  return ok({
    model,
    isStream: stream,
    maxTokens,
    n,
    includesUsage: asksUsage(options),
    continuity: continuityOf(fields, { n, isBatch: isBatch(bytes, fields.get("prompt")), read }),
    modelField,
    maxTokensField: fields.get("max_tokens") ?? null,
    streamOptionsField: fields.get("stream_options") ?? null,
    closeAt,
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
  const edits: JsonEdit[] = [];
  if (change.upstreamModel !== null && change.upstreamModel !== request.model) {
    edits.push({ ...request.modelField, text: JSON.stringify(change.upstreamModel) });
  }
  const { streamOptionsField, maxTokensField } = request;
  // A client may name a limit and say nothing by it: the same key must not stand in a body twice.
  const isLimitNamed = change.maxTokens !== null && maxTokensField !== null;
  if (isLimitNamed) edits.push({ ...maxTokensField, text: `${change.maxTokens}` });
  const addedLimit = change.maxTokens === null || isLimitNamed ? "" : `,"max_tokens":${change.maxTokens}`;
  const added = addedLimit + (change.asksIds ? ',"return_token_ids":true' : "");
  const addedOptions = change.asksUsage && streamOptionsField === null ? ',"stream_options":{"include_usage":true}' : "";
  if (change.asksUsage && streamOptionsField !== null) edits.push({ ...streamOptionsField, text: withUsage(bytes, streamOptionsField) });
  if (added + addedOptions !== "") edits.push({ start: request.closeAt, end: request.closeAt, text: added + addedOptions });
  return spliceJson(bytes, edits);
}

function withUsage(bytes: Uint8Array, field: JsonField): string {
  const options = valueOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), field);
  return JSON.stringify({ ...(isJsonObject(options) ? options : {}), include_usage: true });
}

function valueOf(bytes: Buffer, field: JsonField | undefined): unknown {
  if (field === undefined || isLong(field)) return undefined;
  const value: unknown = JSON.parse(bytes.toString("utf8", field.start, field.end));
  return value;
}

const isLong = (field: JsonField | undefined): boolean => field !== undefined && field.end - field.start > VALUE_BYTES_MAX;

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

const isCount = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 1;

const asksUsage = (options: unknown): boolean => isJsonObject(options) && options["include_usage"] === true;

const invalid = (code: string, message: string, param: string | null): InvalidRequest => ({ code, message, param });

function explainScan(error: JsonScanError): InvalidRequest {
  const where = `at byte ${error.at} of the body`;
  switch (error.code) {
    case "NOT_JSON":
      return invalid("invalid_json", `The body is not valid JSON (${where}).`, null);
    case "NOT_AN_OBJECT":
      return invalid("invalid_json", "The body must be a JSON object.", null);
    case "TOO_DEEP":
      return invalid("json_too_deep", `The body is nested too deeply (${where}).`, null);
    case "DUPLICATE_KEY":
      return invalid("duplicate_parameter", `A parameter is given twice (${where}).`, null);
    case "FORBIDDEN_KEY":
      return invalid("forbidden_parameter", `A key of the body is not allowed (${where}).`, null);
    case "NUMBER_TOO_LONG":
    case "NUMBER_TOO_LARGE":
      return invalid("invalid_number", `A number is out of range (${where}).`, null);
    case "TOO_MANY_KEYS":
      return invalid("too_many_parameters", "The body has too many parameters.", null);
    case "TOO_MANY_VALUES":
      return invalid("too_many_values", "The body has too many values.", null);
    case "BAD_UNICODE":
      return invalid("invalid_unicode", `The body is not valid Unicode (${where}).`, null);
  }
}
