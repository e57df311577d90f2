/** The part of a chunk or of a whole answer that checks look at. */
export interface TranscriptChunk {
  readonly id: string;
  readonly object: string;
  readonly choices: readonly {
    readonly index: number;
    readonly text?: string;
    readonly delta?: TranscriptMessage;
    readonly message?: TranscriptMessage;
    readonly finish_reason: string | null;
    readonly token_ids?: readonly number[];
    readonly prompt_token_ids?: readonly number[];
  }[];
  readonly prompt_token_ids?: readonly number[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly total_tokens: number } | null;
}
interface TranscriptMessage {
  readonly role?: string;
  readonly content?: string | null;
  readonly tool_calls?: readonly { readonly id?: string; readonly function: { readonly name?: string; readonly arguments: string } }[];
}

/** All that one stream said, its choices put together. */
export interface Transcript {
  readonly chunks: readonly TranscriptChunk[];
  readonly isDone: boolean;
  readonly text: string;
  readonly ids: readonly number[];
  readonly promptIds: readonly number[];
  readonly finish: string | null;
  readonly usage: TranscriptChunk["usage"];
}

/** A whole answer in JSON. */
export const parseWhole = (text: string): TranscriptChunk => JSON.parse(text) as TranscriptChunk;

/** The error of an answer in OpenAI's shape. */
export const parseError = (
  text: string,
): { readonly message: string; readonly type: string; readonly param: string | null; readonly code: string | null } =>
  (JSON.parse(text) as { error: ReturnType<typeof parseError> }).error;

/** The ids of an answer of `/tokenize`. */
export const parseTokens = (text: string): readonly number[] => (JSON.parse(text) as { tokens: readonly number[] }).tokens;

/**
 * A stream of server-sent events as an engine sends it; of one choice.
 * @throws on anything else: a broken frame is a finding.
 */
export function parseTranscript(text: string, choice: number = 0): Transcript {
  const events = text.split("\n\n").filter((event) => event !== "");
  const isDone = events.at(-1) === "data: [DONE]";
  const chunks = events.slice(0, isDone ? -1 : undefined).map((event) => {
    if (!event.startsWith("data: {")) throw new Error(`Not an event: ${event.slice(0, 80)}`);
    return parseWhole(event.slice("data: ".length));
  });
  const own = chunks.flatMap((chunk) => chunk.choices).filter(({ index }) => index === choice);
  return {
    chunks,
    isDone,
    text: own.map((one) => one.text ?? one.delta?.content ?? "").join(""),
    ids: own.flatMap((one) => one.token_ids ?? []),
    promptIds: chunks[0]?.prompt_token_ids ?? own[0]?.prompt_token_ids ?? [],
    finish: own.findLast((one) => one.finish_reason !== null)?.finish_reason ?? null,
    usage: chunks.at(-1)?.usage ?? null,
  };
}

/** A response, and what checks look at in it. */
export interface TranscriptResponse {
  readonly id: string;
  readonly status: string;
  readonly store: boolean;
  readonly incomplete_details: unknown;
  readonly output: readonly {
    readonly type: string;
    readonly name?: string;
    readonly arguments?: string;
    readonly status: string;
    readonly content?: readonly { readonly text: string }[];
  }[];
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number } | null;
}

export const parseResponse = (text: string): TranscriptResponse => JSON.parse(text) as TranscriptResponse;

interface ResponseEvent {
  readonly type: string;
  readonly sequence_number: number;
  readonly delta?: string;
  readonly code?: string;
  readonly response?: TranscriptResponse;
}

/**
 * The events of a streamed response, comments left out.
 * @throws on anything else, and where an event's name is not its type.
 */
export function parseResponseEvents(text: string): readonly ResponseEvent[] {
  const frames = text.split("\n\n").filter((frame) => frame !== "" && !frame.startsWith(":"));
  return frames.map((frame) => {
    const [, name, data] = /^event: (\S+)\ndata: (.+)$/.exec(frame) ?? [];
    const event = JSON.parse(data ?? "null") as ResponseEvent | null;
    if (event === null || event.type !== name) throw new Error(`Not an event: ${frame.slice(0, 80)}`);
    return event;
  });
}

export const parseEmbeddings = (
  text: string,
): {
  readonly data: readonly { readonly index: number; readonly embedding: readonly number[] | string }[];
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
} => JSON.parse(text) as ReturnType<typeof parseEmbeddings>;
