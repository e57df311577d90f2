import { scanJsonObject, type JsonField } from "./json-scan.ts";

/** What an engine is sent. */
export interface EngineAsk {
  readonly target: string;
  readonly body: Uint8Array;
}

export interface FirstAsk {
  /** The client's body, of `/v1/completions`. */
  readonly body: Buffer;
  /** null = nobody names a limit. */
  readonly maxTokens: number | null;
}

export interface ContinueAsk {
  /** The client's body. */
  readonly body: Buffer;
  readonly upstreamModel: string;
  /** As text, `12,345`: what the engine said, digits and commas alone. null = the client's own prompt is sent again. */
  readonly promptIds: Buffer | null;
  readonly shownIds: Buffer;
  readonly shownTokens: number;
  /** Still to come at most. */
  readonly tokensLeft: number;
}

/** As whom an answer is told. */
export interface ToldAs {
  readonly id: string;
  readonly model: string;
  readonly createdSeconds: number;
  /** The client's body: its prompt, where that is ids, is not told again by every engine. */
  readonly body: Buffer;
}

/** Tells an engine's own events as chunks of `/v1/completions` that name their ids; `prompt_token_ids` stand in the first. */
export interface ChunkTeller {
  /** @param frame one whole event. What it cannot read it hands on, as what it is: garbage. */
  tell(frame: Buffer): readonly Buffer[];
}

/** An engine's own way to be asked for text, where its OpenAI form names no ids. Only streams of `/v1/completions` are asked so. */
export interface OwnSurface {
  /** Does it know all that the body asks? Otherwise the OpenAI form is asked. */
  mayAsk(body: Buffer): boolean;
  first(ask: FirstAsk): EngineAsk;
  next(ask: ContinueAsk): EngineAsk;
  /** Its chunks name the ids of the prompt. Otherwise it takes the client's own prompt again, with ids after it. */
  readonly tellsPrompt: boolean;
  teller(as: ToldAs): ChunkTeller;
}

/** Fields of a request of `/v1/completions` that say nothing of how text is made, or are told the engine by others. */
const SPENT = new Set(
  ["model", "prompt", "stream", "stream_options", "n", "best_of", "max_tokens", "max_completion_tokens", "min_tokens"].concat([
    "user",
    "metadata",
    "store",
    "service_tier",
    "stop",
    "include_stop_str_in_output",
  ]),
);

/** The client's name of a field, and the engine's. */
export type FieldNames = ReadonlyMap<string, string>;

export const fieldsOf = (body: Buffer): ReadonlyMap<string, JsonField> => {
  const scan = scanJsonObject(body);
  return scan.ok ? scan.value.fields : new Map<string, JsonField>();
};

const NULL = Buffer.from("null");
const isSaid = (body: Buffer, { start, end }: JsonField): boolean => !body.subarray(start, end).equals(NULL);

/** A field is there, and null. */
export function saysNull(body: Buffer, name: string): boolean {
  const field = fieldsOf(body).get(name);
  return field !== undefined && !isSaid(body, field);
}

/** Of a field that an engine does not know they say "not asked". */
const NOTHINGS = new Set(["null", "false", "0", "0.0", "[]"]);

/** Every field that asks for something is known. */
export function knowsAll(body: Buffer, names: FieldNames): boolean {
  for (const [name, { start, end }] of fieldsOf(body))
    if (!SPENT.has(name) && !names.has(name) && !NOTHINGS.has(body.toString("latin1", start, end))) return false;
  return true;
}

/** `"as":value` of every known field of a body, as bytes of JSON. */
export function renamed(body: Buffer, names: FieldNames): readonly Buffer[] {
  const fields = fieldsOf(body);
  const parts: Buffer[] = [];
  for (const [name, as] of names) {
    const field = fields.get(name);
    if (field !== undefined && isSaid(body, field))
      parts.push(Buffer.concat([Buffer.from(`${JSON.stringify(as)}:`), body.subarray(field.start, field.end)]));
  }
  return parts;
}

const OPEN_BRACKET = 0x5b;

/** The bytes of a client's prompt: a text with its quotes, or what stands inside a list of ids. null = there is none. */
export function promptOf(body: Buffer): { readonly kind: "text" | "ids"; readonly bytes: Buffer } | null {
  const field = fieldsOf(body).get("prompt");
  if (field === undefined) return null;
  const isList = body[field.start] === OPEN_BRACKET;
  return isList
    ? { kind: "ids", bytes: body.subarray(field.start + 1, field.end - 1) }
    : { kind: "text", bytes: body.subarray(field.start, field.end) };
}

/** A number field of a body; null = it is not there. */
export function numberOf(body: Buffer, name: string): number | null {
  const field = fieldsOf(body).get(name);
  const value = field === undefined ? Number.NaN : Number(body.toString("utf8", field.start, field.end));
  return Number.isFinite(value) ? value : null;
}

/** Parts of a JSON object or list, with commas between them. */
export const listed = (open: string, parts: readonly Buffer[], close: string): Buffer =>
  Buffer.concat([
    Buffer.from(open),
    ...parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.from(","), part])),
    Buffer.from(close),
  ]);
