import type { JsonObject } from "../base/json.ts";
import type { Result } from "../base/result.ts";
import { answerSchema, chooseTool } from "../engine-model/structured-answer.ts";
import {
  createContextSource,
  createGarbageSource,
  createScriptSource,
  hashPrompt,
  type TokenOrigin,
  type TokenSource,
} from "../engine-model/token-source.ts";
import { tokenize } from "../engine-model/tokenize.ts";
import type { Exchange } from "../ports/http-front.ts";
import { EngineAnswer } from "./engine-answer.ts";
import type { EngineCore } from "./engine-core.ts";
import { answerError, badRequest, serverError, type EngineError } from "./engine-error.ts";
import type { EngineRequest, OwnDialect, RequestLimits } from "./engine-request.ts";
import { completionOf } from "./parse-engine-dialect.ts";
import { parseEmbeddingRequest } from "./parse-engine-embedding.ts";
import { parseBody, parseEngineRequest } from "./parse-engine-request.ts";
import { parseResponseRequest } from "./parse-engine-response.ts";

/** Where a choice's tokens come from, and the function that it calls, if any. */
interface PlannedChoice {
  readonly source: TokenSource;
  readonly tool: string | null;
}

/** @returns the running answer; null when the exchange has been answered, or the engine died of it. */
export function generate(core: EngineCore, exchange: Exchange, asked: Asked): EngineAnswer | null {
  const { kind, dialect, body } = asked;
  const refusal = refuse(core);
  if (refusal !== null) {
    answerError(exchange, refusal);
    return null;
  }
  if (core.residence.isAsleep) {
    core.events.crashed("a request came while the engine was asleep");
    return null;
  }
  const document = parseBody(body);
  const request = document.ok ? parseRequest(asked, document.value, core.limits) : document;
  if (!request.ok) {
    answerError(exchange, request.error);
    return null;
  }
  if (dialect !== null && !request.value.isStream) {
    answerError(exchange, badRequest("Only streams are made here.", "stream"));
    return null;
  }
  const choices = planChoices(core, request.value);
  const identity = {
    id: `${ID_START[kind]}${core.random.token(12)}`,
    created: Math.floor(core.clock.wallMs() / 1_000),
    request: request.value,
    revision: core.options.revision,
    tools: choices.map(({ tool }) => tool),
    dialect,
    reasoningTokens: kind === "chat" && request.value.shape.kind === "words" ? core.options.reasoningTokens : 0,
    tokensPerChunk: isMergeable(request.value, dialect) ? core.options.tokensPerChunk : null,
  };
  const answer = new EngineAnswer(exchange, identity, (over) => core.loop.remove(over));
  answer.setCuts(core.faults.cuts);
  core.loop.add(
    answer,
    choices.map(({ source }) => source),
  );
  return answer;
}

/** llama.cpp tells each token that makes text, and log probabilities are told of one token. */
const isMergeable = ({ kind, isStream, areLogprobsReturned }: EngineRequest, dialect: OwnDialect | null): boolean =>
  isStream && !areLogprobsReturned && dialect !== "llama.cpp" && (kind === "chat" || kind === "completion");

const ID_START: Readonly<Record<EngineRequest["kind"], string>> = {
  chat: "chatcmpl-",
  completion: "cmpl-",
  embedding: "embd-",
  response: "resp_",
};

interface Asked {
  readonly kind: EngineRequest["kind"];
  /** null = OpenAI's. */
  readonly dialect: OwnDialect | null;
  readonly body: Uint8Array;
}

function parseRequest({ kind, dialect }: Asked, body: JsonObject, limits: RequestLimits): Result<EngineRequest, EngineError> {
  if (dialect !== null) return parseEngineRequest("completion", completionOf(dialect, body, limits.contextLength), limits);
  switch (kind) {
    case "embedding":
      return parseEmbeddingRequest(body, limits);
    case "response":
      return parseResponseRequest(body, limits);
    case "chat":
    case "completion":
      return parseEngineRequest(kind, body, limits);
  }
}

function refuse({ residence, faults, options }: EngineCore): EngineError | null {
  if (!residence.isLoaded) return serverError(503, "The model is loading.", "model_loading");
  if (residence.isAsleep && !options.diesOfRequestsAsleep) return serverError(503, "The engine is asleep.", "engine_asleep");
  return faults.failsRequest() ? serverError(500, "The engine failed.", "engine_error") : null;
}

function planChoices(core: EngineCore, request: EngineRequest): PlannedChoice[] {
  const planned: PlannedChoice[] = [];
  for (const prompt of request.prompts) {
    for (let choice = 0; choice < request.choicesPerPrompt; choice += 1) {
      const origin = { model: request.model, revision: core.options.revision, sampling: request.sampling, choice };
      planned.push(core.saysGarbage ? { source: createGarbageSource(), tool: null } : planChoice(request, origin, prompt));
    }
  }
  return planned;
}

function planChoice({ shape }: EngineRequest, origin: TokenOrigin, prompt: readonly number[]): PlannedChoice {
  switch (shape.kind) {
    case "words":
      return { source: createContextSource(origin, prompt), tool: null };
    case "json":
      return { source: scriptOf(answerSchema(shape.schema, hashPrompt(origin, prompt))), tool: null };
    case "tool": {
      const context = hashPrompt(origin, prompt);
      const tool = chooseTool(shape.tools, shape.isRequired, context);
      if (tool === null) return { source: createContextSource(origin, prompt), tool: null };
      return { source: scriptOf(answerSchema(tool.parameters, context)), tool: tool.name };
    }
  }
}

const scriptOf = (value: unknown): TokenSource => createScriptSource(tokenize(JSON.stringify(value)));
