import { err, ok, type Result } from "../base/result.ts";
import type { Continuity } from "./continuity.ts";
import type { JsonEdit } from "./json-splice.ts";
import type { CompletionRequest } from "./openai-request.ts";
import { invalid, readRequestFields, readStream, readTokenLimit, type InvalidRequest, type RequestFields } from "./request-fields.ts";

const READ_KEYS = ["model", "stream", "max_output_tokens", "background", "store", "previous_response_id", "conversation"];

/**
 * A request for a response. What would need the memory of one engine is refused: the next request may meet another one, and the one that
 * remembers may die. `store` is true by default at clients: it is no reason to refuse, but every engine is told not to store.
 */
export function readResponsesRequest(bytes: Buffer): Result<CompletionRequest, InvalidRequest> {
  const known = readRequestFields(bytes, READ_KEYS);
  if (!known.ok) return known;
  const needsMemory = memoryNeededBy(known.value);
  if (needsMemory !== null) return err(needsMemory);
  const stream = readStream(known.value);
  if (!stream.ok) return stream;
  const maxTokens = readTokenLimit(known.value, "max_output_tokens");
  if (!maxTokens.ok) return maxTokens;
  const { model, modelField, closeAt } = known.value;
  return ok({
    api: "responses",
    model,
    modelField,
    closeAt,
    isStream: stream.value,
    maxTokens: maxTokens.value,
    n: 1,
    includesUsage: true,
    continuity: continuityOfResponse(known.value),
    streamOptionsField: null,
    limitField: known.value.fields.get("max_output_tokens") ?? null,
    edits: [unstored(known.value)],
  });
}

function memoryNeededBy({ isSaid, read }: RequestFields): InvalidRequest | null {
  for (const name of ["previous_response_id", "conversation"]) {
    if (!isSaid(name)) continue;
    const message = `'${name}' needs a stored response, and none is stored here. Send the whole conversation as 'input'.`;
    return invalid("unsupported_parameter", message, name);
  }
  if (isSaid("background") && read("background") !== false) {
    const message = "'background' needs a stored response, and none is stored here. Leave it out, and stream if the answer takes long.";
    return invalid("unsupported_parameter", message, "background");
  }
  const isSwitch = !isSaid("store") || typeof read("store") === "boolean";
  return isSwitch ? null : invalid("invalid_type", "'store' must be true or false.", "store");
}

function unstored({ fields, closeAt }: RequestFields): JsonEdit {
  const said = fields.get("store");
  return said === undefined ? { start: closeAt, end: closeAt, text: ',"store":false' } : { ...said, text: "false" };
}

/** Its events carry no token ids: another engine makes it again. Log probabilities are nobody else's. */
function continuityOfResponse({ isSaid, read }: RequestFields): Continuity {
  const include = read("include");
  const includesThem = isSaid("include") && (!Array.isArray(include) || include.includes("message.output_text.logprobs"));
  const asksThem = isSaid("top_logprobs") && read("top_logprobs") !== 0;
  return includesThem || asksThem ? { kind: "none", why: "logprobs" } : { kind: "restart", why: "responses" };
}
