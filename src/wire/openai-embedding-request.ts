import { err, ok, type Result } from "../base/result.ts";
import type { CompletionRequest } from "./openai-request.ts";
import { invalid, readRequestFields, type InvalidRequest } from "./request-fields.ts";

/** Vectors come in one piece, and no other model's stand for them. */
export function readEmbeddingRequest(bytes: Buffer): Result<CompletionRequest, InvalidRequest> {
  const known = readRequestFields(bytes, ["model", "input"]);
  if (!known.ok) return known;
  const { model, modelField, closeAt, isSaid } = known.value;
  if (!isSaid("input")) return err(invalid("missing_required_parameter", "'input' must be what to embed.", "input"));
  return ok({
    api: "embeddings",
    model,
    modelField,
    closeAt,
    isStream: false,
    maxTokens: null,
    n: 1,
    includesUsage: true,
    continuity: { kind: "none", why: "choices" },
    streamOptionsField: null,
    limitField: null,
    edits: [],
  });
}
