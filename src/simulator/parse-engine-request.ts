import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { isTokenId } from "../engine-model/token-ids.ts";
import type { Sampling } from "../engine-model/token-source.ts";
import { tokenize } from "../engine-model/tokenize.ts";
import { badRequest, type EngineError } from "./engine-error.ts";
import { CHOICES_MAX, type EngineRequest, type RequestLimits } from "./engine-request.ts";
import { parseChatPrompt, parseShape } from "./parse-engine-chat.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** vLLM's default for completions that do not name a limit; null is none. */
const COMPLETION_MAX_TOKENS = 16;
const STOPS_MAX = 16;
const UNSUPPORTED = {
  chat: ["top_logprobs", "prompt_logprobs", "echo", "best_of"],
  completion: ["logprobs", "prompt_logprobs", "echo", "best_of"],
};

/** The body as a JSON object. */
export function parseBody(bytes: Uint8Array): Result<JsonObject, EngineError> {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    return err(badRequest("The body is not JSON in UTF-8.", null));
  }
  return isJsonObject(value) ? ok(value as JsonObject) : err(badRequest("The body must be a JSON object.", null));
}

/** A request for tokens; 400 for what this engine cannot do, 404 for a model that it does not serve. */
export function parseEngineRequest(
  kind: "chat" | "completion",
  body: JsonObject,
  limits: RequestLimits,
): Result<EngineRequest, EngineError> {
  const model = parseModel(body["model"], limits);
  if (!model.ok) return model;
  const unsupported = UNSUPPORTED[kind].find((name) => isAsked(body[name]));
  if (unsupported !== undefined) return err(badRequest(`${unsupported} is not supported by this engine.`, unsupported));
  const prompts = kind === "chat" ? parseChat(body) : parsePrompts(body["prompt"]);
  if (!prompts.ok) return prompts;
  const shape = kind === "chat" ? parseShape(body) : ok({ kind: "words" } as const);
  if (!shape.ok) return shape;
  const numbers = parseNumbers(body);
  if (!numbers.ok) return numbers;
  const stops = parseStops(body);
  if (!stops.ok) return stops;
  const { choicesPerPrompt, minTokens, sampling } = numbers.value;
  if (prompts.value.length * choicesPerPrompt > CHOICES_MAX) return err(badRequest(`At most ${CHOICES_MAX} answers at once.`, "n"));
  const named = body["max_tokens"];
  const asked = kind === "chat" ? (body["max_completion_tokens"] ?? named) : named === undefined ? COMPLETION_MAX_TOKENS : named;
  const maxTokens = parseMaxTokens(asked, prompts.value, limits);
  if (!maxTokens.ok) return maxTokens;
  const isStream = body["stream"] === true;
  const streamOptions = body["stream_options"];
  return ok({
    kind,
    body,
    model: model.value,
    prompts: prompts.value,
    choicesPerPrompt,
    maxTokens: maxTokens.value,
    minTokens,
    sampling,
    shape: shape.value,
    isStream,
    isUsageIncluded: isStream && isJsonObject(streamOptions) && streamOptions["include_usage"] === true,
    areTokenIdsReturned: body["return_token_ids"] === true,
    areLogprobsReturned: kind === "chat" && body["logprobs"] === true,
    isEndIgnored: body["ignore_eos"] === true,
    ...stops.value,
  });
}

const isAsked = (value: JsonValue | undefined): boolean => value !== undefined && value !== null && value !== false && value !== 1;

/** No model = the engine's own, as vLLM takes it. */
export function parseModel(value: JsonValue | undefined, { models }: RequestLimits): Result<string, EngineError> {
  const name = value ?? models[0];
  if (typeof name !== "string") return err(badRequest("model must be a string.", "model"));
  if (models.includes(name)) return ok(name);
  const error = {
    ...badRequest(`The model ${JSON.stringify(name.slice(0, 100))} does not exist.`, "model", "model_not_found"),
    status: 404,
  };
  return err(error);
}

function parseChat(body: JsonObject): Result<(readonly number[])[], EngineError> {
  const prompt = parseChatPrompt(body);
  return prompt.ok ? ok([prompt.value]) : prompt;
}

/** Text, ids, or a list of either. */
export function parsePrompts(raw: JsonValue | undefined): Result<(readonly number[])[], EngineError> {
  if (typeof raw === "string") return checkPrompts([tokenize(raw)]);
  if (!Array.isArray(raw) || raw.length === 0) return err(badRequest("prompt must be text, token ids, or a list of those.", "prompt"));
  const list = raw as readonly JsonValue[];
  if (list.every(isTokenId)) return checkPrompts([list]);
  const prompts: (readonly number[])[] = [];
  for (const one of list) {
    if (typeof one === "string") prompts.push(tokenize(one));
    else if (Array.isArray(one) && (one as readonly JsonValue[]).every(isTokenId)) prompts.push(one as number[]);
    else return err(badRequest("prompt must be text, token ids of this model's vocabulary, or a list of those.", "prompt"));
  }
  return checkPrompts(prompts);
}

const checkPrompts = (prompts: (readonly number[])[]): Result<(readonly number[])[], EngineError> =>
  prompts.some((prompt) => prompt.length === 0) ? err(badRequest("The prompt is empty.", "prompt")) : ok(prompts);

function parseMaxTokens(
  asked: JsonValue | undefined,
  prompts: readonly (readonly number[])[],
  limits: RequestLimits,
): Result<number[], EngineError> {
  const { contextLength } = limits;
  const longest = Math.max(...prompts.map((prompt) => prompt.length));
  if (asked !== undefined && asked !== null && (typeof asked !== "number" || !Number.isInteger(asked) || asked < 1)) {
    return err(badRequest("max_tokens must be a whole number of at least 1.", "max_tokens"));
  }
  const needed = longest + (typeof asked === "number" ? asked : 1);
  if (needed > contextLength) {
    const message = `This model's maximum context length is ${contextLength} tokens. You asked for ${needed}: ${longest} in the prompt, ${needed - longest} for the answer.`;
    return err(badRequest(message, typeof asked === "number" ? "max_tokens" : "messages", "context_length_exceeded"));
  }
  return ok(prompts.map((prompt) => (typeof asked === "number" ? asked : contextLength - prompt.length)));
}

interface RequestNumbers {
  readonly choicesPerPrompt: number;
  readonly minTokens: number;
  readonly sampling: Sampling;
}

function parseNumbers(body: JsonObject): Result<RequestNumbers, EngineError> {
  const read = (name: string, [low, high, otherwise]: readonly [low: number, high: number, otherwise: number]): number => {
    const value = body[name] ?? otherwise;
    if (typeof value !== "number" || !(value >= low && value <= high)) wrong.push(`${name} must be a number from ${low} to ${high}.`);
    return typeof value === "number" ? value : otherwise;
  };
  const wrong: string[] = [];
  const numbers = {
    choicesPerPrompt: read("n", [1, CHOICES_MAX, 1]),
    minTokens: read("min_tokens", [0, Number.MAX_SAFE_INTEGER, 0]),
    sampling: {
      temperature: read("temperature", [0, 2, 1]),
      topP: read("top_p", [0, 1, 1]),
      topK: read("top_k", [-1, Number.MAX_SAFE_INTEGER, 0]),
      seed: body["seed"] === undefined || body["seed"] === null ? null : read("seed", [-(2 ** 63), 2 ** 63, 0]),
      penalties: [
        read("presence_penalty", [-2, 2, 0]),
        read("frequency_penalty", [-2, 2, 0]),
        read("repetition_penalty", [0, 10, 1]),
        read("min_p", [0, 1, 0]),
      ],
    },
  };
  if (!Number.isInteger(numbers.choicesPerPrompt)) wrong.push("n must be a whole number.");
  const [first] = wrong;
  return first === undefined ? ok(numbers) : err(badRequest(first, first.slice(0, first.indexOf(" "))));
}

function parseStops(body: JsonObject): Result<Pick<EngineRequest, "stops" | "isStopShown" | "stopIds">, EngineError> {
  const stop = body["stop"] ?? [];
  const stops = (typeof stop === "string" ? [stop] : Array.isArray(stop) ? stop : [null]) as readonly JsonValue[];
  const isStop = (value: JsonValue): value is string => typeof value === "string" && value !== "";
  if (stops.length > STOPS_MAX || !stops.every(isStop))
    return err(badRequest(`stop must be up to ${STOPS_MAX} strings, none empty.`, "stop"));
  const ids = body["stop_token_ids"] ?? [];
  if (!Array.isArray(ids) || ids.length > STOPS_MAX || !(ids as readonly JsonValue[]).every(isTokenId)) {
    return err(badRequest(`stop_token_ids must be up to ${STOPS_MAX} token ids.`, "stop_token_ids"));
  }
  return ok({ stops, isStopShown: body["include_stop_str_in_output"] === true, stopIds: ids as readonly number[] });
}
