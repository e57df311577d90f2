import type { JsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { badRequest, type EngineError } from "./engine-error.ts";
import type { EngineRequest, RequestLimits } from "./engine-request.ts";
import { parseModel, parsePrompts } from "./parse-engine-request.ts";

export const DIMENSIONS_DEFAULT = 256;
const DIMENSIONS_MAX = 4_096;
const INPUTS_MAX = 2_048;

/** A request for one vector for each input. It costs its prompts and one step. */
export function parseEmbeddingRequest(body: JsonObject, limits: RequestLimits): Result<EngineRequest, EngineError> {
  const model = parseModel(body["model"], limits);
  if (!model.ok) return model;
  const prompts = parsePrompts(body["input"]);
  if (!prompts.ok) return err(badRequest("input must be text, token ids, or a list of those, none empty.", "input"));
  if (prompts.value.length > INPUTS_MAX) return err(badRequest(`At most ${INPUTS_MAX} inputs at once.`, "input"));
  const { contextLength } = limits;
  if (prompts.value.some((prompt) => prompt.length > contextLength)) {
    const message = `This model's maximum context length is ${contextLength} tokens, and an input is longer.`;
    return err(badRequest(message, "input", "context_length_exceeded"));
  }
  const format = body["encoding_format"] ?? "float";
  if (format !== "float" && format !== "base64") return err(badRequest("encoding_format must be float or base64.", "encoding_format"));
  const dimensions = body["dimensions"] ?? DIMENSIONS_DEFAULT;
  if (typeof dimensions !== "number" || !Number.isInteger(dimensions) || dimensions < 1 || dimensions > DIMENSIONS_MAX)
    return err(badRequest(`dimensions must be a whole number from 1 to ${DIMENSIONS_MAX}.`, "dimensions"));
  return ok({
    kind: "embedding",
    body,
    model: model.value,
    prompts: prompts.value,
    choicesPerPrompt: 1,
    maxTokens: prompts.value.map(() => 1),
    minTokens: 0,
    sampling: { temperature: 0, seed: null, topP: 1, topK: 0, penalties: [] },
    shape: { kind: "words" },
    isStream: false,
    isUsageIncluded: false,
    areTokenIdsReturned: false,
    areLogprobsReturned: false,
    isEndIgnored: false,
    stops: [],
    isStopShown: false,
    stopIds: [],
  });
}
