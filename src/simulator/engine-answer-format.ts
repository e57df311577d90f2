import { encodeText } from "../base/bytes.ts";
import type { EngineRequest, OwnDialect } from "./engine-request.ts";

export type FinishReason = "stop" | "length" | "abort" | "tool_calls";

/** Who answers, and what: equal on all chunks of one answer. */
export interface AnswerIdentity {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly request: EngineRequest;
  /** Of the weights. */
  readonly revision: string;
  /** The function that each choice calls; null = it answers in words. */
  readonly tools: readonly (string | null)[];
  /** So many first tokens of each choice in words are told as reasoning. */
  readonly reasoningTokens: number;
  /** So many tokens are told at a time, more to a reader that is slow; null = always one. */
  readonly tokensPerChunk: number | null;
  /** In whose form a stream is told; null = OpenAI's. */
  readonly dialect: OwnDialect | null;
}

/** One token of one choice, or some that are told at once, and the text that they made visible. */
export interface AnswerTokens {
  readonly choice: number;
  readonly ids: readonly number[];
  readonly text: string;
  readonly finish: FinishReason | null;
  readonly isReasoning: boolean;
}

export interface AnswerUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** The bytes of an answer, as text. */
export interface AnswerFormat {
  readonly contentType: string;
  /** @returns what to send for it; nothing where everything is sent at the end. */
  token(tokens: AnswerTokens): string;
  /** A choice that ends without a token of its own. */
  abort(choice: number): string;
  close(usage: AnswerUsage): string;
}

export const usageJson = ({ promptTokens, completionTokens }: AnswerUsage): string =>
  `{"prompt_tokens":${promptTokens},"completion_tokens":${completionTokens},"total_tokens":${promptTokens + completionTokens},"prompt_tokens_details":{"cached_tokens":0}}`;

/** In OpenAI's form for chats. This model is as sure of a token wherever it says it. */
export const logprobOf = (id: number, text: string): object => ({
  token: text,
  logprob: -(id % 97) / 100,
  bytes: [...encodeText(text)],
  top_logprobs: [],
});

export const toolCallId = (answerId: string, choice: number): string => `call-${answerId.slice(answerId.indexOf("-") + 1)}-${choice}`;

// Anything but printable ASCII without quote and backslash, and the plane above without surrogates.
const NEEDS_ESCAPE = /[^ !#-[\]-~\u00a0-\ud7ff\ue000-\uffff]/;

/** The inside of a JSON string. Most tokens are plain words: they are not looked at twice. */
export const escapeJson = (text: string): string => (NEEDS_ESCAPE.test(text) ? JSON.stringify(text).slice(1, -1) : text);
