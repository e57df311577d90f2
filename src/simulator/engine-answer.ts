import { encodeText } from "../base/bytes.ts";
import { createAnswerText, type AnswerText } from "../engine-model/answer-text.ts";
import type { Exchange } from "../ports/http-front.ts";
import type { AnswerFormat, AnswerIdentity, AnswerTokens, FinishReason } from "./engine-answer-format.ts";
import { createEmbeddingFormat } from "./engine-embedding-format.ts";
import { createOwnFormat } from "./engine-own-format.ts";
import { createResponseFormat, createResponseStreamFormat } from "./engine-response-format.ts";
import { createStreamFormat } from "./engine-stream-format.ts";
import { createWholeFormat } from "./engine-whole-format.ts";

/** How a fault cuts answers: each after so many more tokens; null = not. */
export interface AnswerCuts {
  readonly stallAfterTokens: number | null;
  readonly truncateAfterTokens: number | null;
  readonly resetAfterTokens: number | null;
}
export const NO_CUTS: AnswerCuts = { stallAfterTokens: null, truncateAfterTokens: null, resetAfterTokens: null };

/** What waits for a slow reader, or through a stall, before the reader is dropped: some thousand tokens. */
const PENDING_CHARACTERS_MAX = 262_144;
const HELD_TOKENS_MAX = 1_024;
const STREAM_HEADERS = ["cache-control", "no-cache", "x-accel-buffering", "no"];
const NEVER = Number.POSITIVE_INFINITY;

interface Choice {
  readonly text: AnswerText;
  tokens: number;
  isOver: boolean;
  /** What was made and is not told yet, because more is told with it. */
  held: AnswerTokens | null;
}

/**
 * One exchange's answer, with all its choices: collects what a step made, writes it once a step, obeys back-pressure.
 * `onOver` is called once, however it ends: complete, cut, aborted, or its client gone.
 */
export class EngineAnswer {
  readonly identity: AnswerIdentity;
  readonly #exchange: Exchange;
  readonly #format: AnswerFormat;
  readonly #choices: Choice[];
  readonly #onOver: (answer: EngineAnswer) => void;
  #pending = "";
  #tokens = 0;
  #openChoices: number;
  #isComplete = false;
  #isBlocked = false;
  #isOver = false;
  #stallAt = NEVER;
  #truncateAt = NEVER;
  #resetAt = NEVER;

  constructor(exchange: Exchange, identity: AnswerIdentity, onOver: (answer: EngineAnswer) => void) {
    const { request } = identity;
    this.#exchange = exchange;
    this.identity = identity;
    this.#format = createFormat(identity);
    this.#choices = identity.tools.map(() => ({ text: createAnswerText(request), tokens: 0, isOver: false, held: null }));
    this.#openChoices = this.#choices.length;
    this.#onOver = onOver;
    if (request.isStream) exchange.head(200, ["content-type", this.#format.contentType, ...STREAM_HEADERS]);
  }

  /** Tokens count from now on, for every answer that runs. */
  setCuts({ stallAfterTokens, truncateAfterTokens, resetAfterTokens }: AnswerCuts): void {
    const at = (afterTokens: number | null): number => (afterTokens === null ? NEVER : this.#tokens + afterTokens);
    this.#stallAt = at(stallAfterTokens);
    this.#truncateAt = this.identity.request.isStream ? at(truncateAfterTokens) : NEVER;
    this.#resetAt = at(resetAfterTokens);
    this.flush();
  }

  /** Takes one token in, without writing. @returns true when the choice ends with it. */
  take(index: number, id: number, finish: "stop" | "length" | null): boolean {
    const choice = this.#choices[index];
    if (this.#isOver || choice === undefined || choice.isOver) return true;
    if (this.#tokens >= this.#resetAt) return this.#cut();
    if (this.#tokens >= this.#truncateAt) return this.#truncate();
    this.#tokens += 1;
    choice.tokens += 1;
    let text = choice.text.push(id);
    const reason: FinishReason | null = choice.text.isStopped ? "stop" : finish;
    if (reason !== null) text += choice.text.end();
    const shown = reason === "stop" && (this.identity.tools[index] ?? null) !== null ? "tool_calls" : reason;
    const isReasoning = choice.tokens <= this.identity.reasoningTokens;
    const { held } = choice;
    const ids = held === null ? [id] : [...held.ids, id];
    choice.held = { choice: index, ids, text: (held?.text ?? "") + text, finish: shown, isReasoning };
    const { tokensPerChunk, reasoningTokens } = this.identity;
    const isForced = reason !== null || choice.tokens === reasoningTokens || tokensPerChunk === null;
    // As vLLM: the first is told at once, and a reader that is slow gets together what was made meanwhile.
    const isDue = !this.#isBlocked && (choice.tokens === 1 || ids.length >= (tokensPerChunk ?? 1));
    if (isForced || isDue) this.#tell(choice);
    if (reason !== null) this.#close(choice);
    return reason !== null;
  }

  /** Writes what is pending, unless the reader is slow or a stall holds it back. */
  flush(): void {
    if (this.#isOver) return;
    if (this.#isBlocked || this.#tokens > this.#stallAt) {
      const heldTokens = this.#choices.reduce((sum, { held }) => sum + (held?.ids.length ?? 0), 0);
      if (this.#pending.length > PENDING_CHARACTERS_MAX || heldTokens > HELD_TOKENS_MAX) this.#cut();
      return;
    }
    if (this.#isComplete && !this.identity.request.isStream) return this.#sendWhole();
    if (this.#pending !== "") {
      const bytes = encodeText(this.#pending);
      this.#pending = "";
      this.#isBlocked = !this.#exchange.write(bytes);
    }
    if (this.#isComplete) this.#end();
  }

  drained(): void {
    this.#isBlocked = false;
    for (const choice of this.#choices) this.#tell(choice);
    this.flush();
  }

  gone(): void {
    this.#finish();
  }

  /** As vLLM ends what runs when it is put to sleep: finish reason `abort`, then a complete end. */
  abort(): void {
    if (this.#isOver) return;
    for (const [index, choice] of this.#choices.entries()) {
      if (choice.isOver) continue;
      this.#tell(choice);
      this.#pending += this.#format.abort(index);
      this.#close(choice);
    }
    this.flush();
  }

  #tell(choice: Choice): void {
    if (choice.held === null) return;
    this.#pending += this.#format.token(choice.held);
    choice.held = null;
  }

  get completionTokens(): number {
    return this.#tokens;
  }

  #close(choice: Choice): void {
    choice.isOver = true;
    this.#openChoices -= 1;
    if (this.#openChoices > 0) return;
    this.#isComplete = true;
    let promptTokens = 0;
    for (const prompt of this.identity.request.prompts) promptTokens += prompt.length;
    this.#pending += this.#format.close({ promptTokens, completionTokens: this.#tokens });
  }

  #sendWhole(): void {
    const bytes = encodeText(this.#pending);
    this.#exchange.head(200, ["content-type", this.#format.contentType, "content-length", String(bytes.byteLength)]);
    this.#exchange.write(bytes);
    this.#end();
  }

  #end(): void {
    this.#exchange.end();
    this.#finish();
  }

  #truncate(): boolean {
    if (this.#pending !== "") this.#exchange.write(encodeText(this.#pending));
    this.#end();
    return true;
  }

  #cut(): boolean {
    this.#exchange.abort();
    this.#finish();
    return true;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver(this);
  }
}

function createFormat(identity: AnswerIdentity): AnswerFormat {
  const { kind, isStream } = identity.request;
  if (identity.dialect !== null) return createOwnFormat(identity.dialect, identity);
  switch (kind) {
    case "embedding":
      return createEmbeddingFormat(identity);
    case "response":
      return isStream ? createResponseStreamFormat(identity) : createResponseFormat(identity);
    case "chat":
    case "completion":
      return isStream ? createStreamFormat(identity) : createWholeFormat(identity);
  }
}
