import { isJsonObject } from "../base/json.ts";

/** One entry of `GET /v1/models`; the first is the base model, others may be adapters. */
export interface ServedModel {
  readonly id: string;
  /** vLLM's `max_model_len` or llama.cpp's `meta.n_ctx_train`; null = the server does not tell. */
  readonly contextLength: number | null;
  /** Where its weights come from; null = the server does not tell. */
  readonly root: string | null;
}

const MODELS_MAX = 256;
const ID_LENGTH_MAX = 200;

/** @returns null when the body is no list of models with at least one readable name. */
export function parseModelList(body: string): readonly ServedModel[] | null {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    return null;
  }
  const data: unknown = isJsonObject(answer) ? answer["data"] : null;
  if (!Array.isArray(data)) return null;
  const models = data.slice(0, MODELS_MAX).flatMap((entry: unknown) => {
    if (!isJsonObject(entry)) return [];
    const { id, max_model_len: length, meta, root } = entry;
    if (typeof id !== "string" || id === "" || id.length > ID_LENGTH_MAX) return [];
    const contextLength = positiveInteger(length) ?? positiveInteger(isJsonObject(meta) ? meta["n_ctx_train"] : null);
    return [{ id, contextLength, root: typeof root === "string" && root !== "" ? root : null }];
  });
  return models.length > 0 ? models : null;
}

const positiveInteger = (value: unknown): number | null => (Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : null);
