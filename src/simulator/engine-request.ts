import type { JsonObject, JsonValue } from "../base/json.ts";
import type { ToolDeclaration } from "../engine-model/structured-answer.ts";
import type { Sampling } from "../engine-model/token-source.ts";

/** What the answer must be, other than words. */
export type AnswerShape =
  | { readonly kind: "words" }
  | { readonly kind: "tool"; readonly tools: readonly ToolDeclaration[]; readonly isRequired: boolean }
  | { readonly kind: "json"; readonly schema: JsonValue };

/** Other engines' own ways to be asked for a streamed text, as far as a gateway asks. */
export type OwnDialect = "sglang" | "llama.cpp";

/** A request for tokens, valid for this engine, every default applied. */
export interface EngineRequest {
  readonly kind: "chat" | "completion" | "embedding" | "response";
  /** As it was sent: a response repeats parts of it, an embedding takes its form from it. */
  readonly body: JsonObject;
  readonly model: string;
  /** One for chat; for completions as many as asked. None is empty. */
  readonly prompts: readonly (readonly number[])[];
  /** Answers to each prompt. */
  readonly choicesPerPrompt: number;
  readonly isStream: boolean;
  readonly isUsageIncluded: boolean;
  readonly areTokenIdsReturned: boolean;
  /** Of the chosen token alone; chat only. */
  readonly areLogprobsReturned: boolean;
  readonly maxTokens: readonly number[];
  readonly minTokens: number;
  readonly isEndIgnored: boolean;
  readonly stops: readonly string[];
  readonly isStopShown: boolean;
  readonly stopIds: readonly number[];
  readonly sampling: Sampling;
  readonly shape: AnswerShape;
}

/** What the parser must know of the engine. */
export interface RequestLimits {
  readonly models: readonly string[];
  readonly contextLength: number;
}

export const CHOICES_MAX = 128;
