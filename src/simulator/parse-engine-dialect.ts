import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { tokenize } from "../engine-model/tokenize.ts";
import type { OwnDialect } from "./engine-request.ts";

/** The same request as one of `/v1/completions`; what is wrong in it stays wrong. */
export function completionOf(dialect: OwnDialect, body: JsonObject, contextLength: number): JsonObject {
  if (dialect === "llama.cpp") {
    const { n_predict: limit, ...rest } = body;
    const prompt = idsOf(body["prompt"]);
    const room = contextLength - (Array.isArray(prompt) ? prompt.length : 0);
    return { ...rest, prompt, max_tokens: limit === undefined || limit === -1 ? room : limit };
  }
  const sampling = isJsonObject(body["sampling_params"]) ? body["sampling_params"] : {};
  const { max_new_tokens: limit, min_new_tokens: least, sampling_seed: seed, ...rest } = sampling;
  const limits = { max_tokens: limit ?? GENERATE_TOKENS_UNASKED, min_tokens: least ?? 0 };
  return { ...rest, ...limits, seed: seed ?? null, prompt: body["input_ids"] ?? body["text"] ?? null, stream: body["stream"] ?? false };
}
const GENERATE_TOKENS_UNASKED = 128;

/** Text, ids, or a list of both: text within it is tokenised alone. */
function idsOf(prompt: JsonValue | undefined): JsonValue {
  if (typeof prompt === "string") return tokenize(prompt);
  if (!Array.isArray(prompt)) return null;
  return (prompt as readonly JsonValue[]).flatMap((part) => (typeof part === "string" ? tokenize(part) : [part]));
}
