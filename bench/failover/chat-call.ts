import { StringDecoder } from "node:string_decoder";
import type { AnswerEvents, HttpConnection } from "./http-connection.ts";
import type { HttpPool } from "./http-pool.ts";
import { fieldsOf, type AskKind } from "./ask-kind.ts";
import { monotonicMs } from "./monotonic.ts";
import type { Outcome } from "./request-record.ts";
import { ToldAnswer, type ChoicePayload } from "./told-answer.ts";

export interface ChatAnswer {
  readonly outcome: Outcome;
  readonly status: number | null;
  readonly instance: string | null;
  readonly level: string | null;
  readonly attempts: number | null;
  readonly retryAfterSeconds: number | null;
  readonly note: string;
  /** Of the first choice. */
  readonly text: string;
  readonly told: ToldAnswer;
  readonly tokenTimesMs: readonly number[];
  /** Characters of `text` that are certain after each token, when token ids were asked for. */
  readonly tokenEnds: readonly number[];
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly endedAtMs: number;
}

/** What we read of a chunk or an answer; everything else is the server's affair. */
interface ChatPayload {
  readonly choices?: readonly ChoicePayload[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null;
  readonly error?: { readonly code?: string | number | null; readonly message?: string };
}

const MAX_BODY_CHARACTERS = 4_000_000;

function parsePayload(text: string): ChatPayload | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as ChatPayload) : null;
  } catch {
    return null;
  }
}

/** Reads one answer, stream or whole, and says how it ended. */
export class ChatCall implements AnswerEvents {
  readonly #isStream: boolean;
  readonly #done: (answer: ChatAnswer) => void;
  readonly #decoder = new StringDecoder("utf8");
  #status: number | null = null;
  #headers: ReadonlyMap<string, string> = new Map();
  #buffer = "";
  readonly #told = new ToldAnswer();
  #tokenTimesMs: number[] = [];
  #tokenEnds: number[] = [];
  #usage: ChatPayload["usage"] = null;
  #isFinished = false;
  #hasDone = false;
  #error: string | null = null;
  #errorAtMs: number | null = null;
  #isSettled = false;
  #connection: HttpConnection | null = null;

  constructor(isStream: boolean, done: (answer: ChatAnswer) => void) {
    this.#isStream = isStream;
    this.#done = done;
  }

  sendOver(pool: HttpPool, parts: readonly (string | Buffer)[]): void {
    this.#connection = pool.send(parts, this);
  }

  head(status: number, headers: ReadonlyMap<string, string>): void {
    this.#status = status;
    this.#headers = headers;
  }

  data(bytes: Buffer): void {
    this.#buffer += this.#decoder.write(bytes);
    if (this.#buffer.length > MAX_BODY_CHARACTERS) return this.#settle("wrong", "longer than any right answer");
    if (!this.#isStream || this.#status !== 200) return;
    for (let endAt = this.#buffer.indexOf("\n\n"); endAt !== -1; endAt = this.#buffer.indexOf("\n\n")) {
      const frame = this.#buffer.slice(0, endAt);
      this.#buffer = this.#buffer.slice(endAt + 2);
      this.#frame(frame);
    }
  }

  end(): void {
    if (this.#status !== 200) return this.#settle("error-status", this.#errorCode(this.#buffer));
    if (!this.#isStream) return this.#endWhole();
    if (this.#error !== null) return this.#settle("error-event", this.#error);
    if (!this.#hasDone || !this.#isFinished) return this.#settle("truncated", this.#hasDone ? "no finish_reason" : "no [DONE]");
    if (this.#buffer !== "") return this.#settle("wrong", "bytes after the last event");
    this.#settle("complete", "");
  }

  cut(reason: string, hadBytes: boolean): void {
    if (this.#error !== null) return this.#settle("error-event", this.#error);
    this.#settle(hadBytes ? "truncated" : "no-answer", reason);
  }

  giveUp(): void {
    this.#connection?.destroy();
    this.#settle("timeout", "no end within the client's patience");
  }

  #frame(frame: string): void {
    if (!frame.startsWith("data:")) return;
    const payload = frame.slice(5).trimStart();
    if (payload === "[DONE]") {
      this.#hasDone = true;
      return;
    }
    const chunk = parsePayload(payload);
    if (chunk === null) this.#failed("unreadable event");
    else this.#chunk(chunk);
  }

  #failed(note: string): void {
    this.#error ??= note;
    this.#errorAtMs ??= monotonicMs();
  }

  #chunk(chunk: ChatPayload): void {
    if (chunk.error !== undefined) this.#failed(String(chunk.error.code ?? chunk.error.message ?? "error"));
    if (chunk.usage !== undefined && chunk.usage !== null) this.#usage = chunk.usage;
    for (const choice of chunk.choices ?? []) {
      if (this.#told.add(choice)) this.#tokenTimesMs.push(monotonicMs());
      const before = this.#tokenEnds.at(-1) ?? 0;
      choice.token_ids?.forEach((_, index, ids) => this.#tokenEnds.push(index === ids.length - 1 ? this.#text.length : before));
      if (typeof choice.finish_reason === "string") this.#isFinished = true;
    }
  }

  #endWhole(): void {
    const answer = parsePayload(this.#buffer);
    const choice = answer?.choices?.[0];
    this.#usage = answer?.usage ?? null;
    if (choice !== undefined) this.#told.add(choice);
    if (answer === null || typeof choice?.finish_reason !== "string") return this.#settle("wrong", "no whole answer in the body");
    this.#settle("complete", "");
  }

  get #text(): string {
    return this.#told.choices[0]?.content ?? "";
  }

  #errorCode(body: string): string {
    const error = parsePayload(body)?.error;
    return String(error?.code ?? error?.message ?? `status ${this.#status}`);
  }

  #settle(outcome: Outcome, note: string): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    const attempts = this.#headers.get("x-tidegate-attempts");
    const retryAfterSeconds = Number.parseFloat(this.#headers.get("retry-after") ?? "");
    this.#done({
      outcome,
      note,
      status: this.#status,
      instance: this.#headers.get("x-tidegate-instance") ?? null,
      level: this.#headers.get("x-tidegate-level") ?? null,
      attempts: attempts === undefined ? null : Number(attempts),
      retryAfterSeconds: Number.isFinite(retryAfterSeconds) ? retryAfterSeconds : null,
      text: this.#text,
      told: this.#told,
      tokenTimesMs: this.#tokenTimesMs,
      tokenEnds: this.#tokenEnds,
      promptTokens: this.#usage?.prompt_tokens ?? null,
      completionTokens: this.#usage?.completion_tokens ?? null,
      endedAtMs: this.#errorAtMs ?? monotonicMs(),
    });
  }
}

export interface ChatTarget {
  readonly host: string;
  readonly port: number;
  /** null = an engine asked directly. */
  readonly key: string | null;
  /** Whose certificate is nobody's affair here; absent = plain HTTP. */
  readonly isTls?: boolean;
}

/** The parts of one POST; a `user` makes its body unlike all others: one body under several deaths is a poisonous one (ADR 0016). `prefix` is built once for each prompt and ends just before the value of max_tokens. */
export function chatRequest(
  target: ChatTarget,
  prefix: Buffer,
  maxTokens: number,
  user: string | null = null,
): readonly (string | Buffer)[] {
  const suffix = user === null ? `${maxTokens}}` : `${maxTokens},"user":"${user}"}`;
  const authorization = target.key === null ? "" : `authorization: Bearer ${target.key}\r\n`;
  const head =
    `POST /v1/chat/completions HTTP/1.1\r\nhost: ${target.host}:${target.port}\r\n${authorization}` +
    `content-type: application/json\r\ncontent-length: ${prefix.length + suffix.length}\r\n\r\n`;
  return [head, prefix, suffix];
}

/** Greedy, never ending early: the answer of a prompt is then a prefix of its one longest answer. */
export function chatPrefix(ask: {
  readonly model: string;
  readonly text: string;
  readonly isStream: boolean;
  readonly withIds?: boolean;
  readonly kind?: AskKind;
}): Buffer {
  const body: Record<string, unknown> = {
    ...fieldsOf(ask.kind ?? "plain"),
    model: ask.model,
    temperature: 0,
    seed: 7,
    ignore_eos: true,
    stream: ask.isStream,
  };
  if (ask.isStream) body["stream_options"] = { include_usage: true };
  if (ask.withIds === true) body["return_token_ids"] = true;
  body["messages"] = [{ role: "user", content: ask.text }];
  return Buffer.from(`${JSON.stringify(body).slice(0, -1)},"max_tokens":`);
}
