import type { Result } from "../base/result.ts";
import type { OpenAiApi } from "./openai-api.ts";
import { readEmbeddingRequest } from "./openai-embedding-request.ts";
import { readCompletionRequest, type CompletionRequest } from "./openai-request.ts";
import { readResponsesRequest } from "./openai-responses-request.ts";
import type { InvalidRequest } from "./request-fields.ts";

/** A request of any API, as its own rules read it. */
export function readOpenAiRequest(api: OpenAiApi, bytes: Buffer): Result<CompletionRequest, InvalidRequest> {
  switch (api) {
    case "chat":
    case "completions":
      return readCompletionRequest(bytes, api);
    case "embeddings":
      return readEmbeddingRequest(bytes);
    case "responses":
      return readResponsesRequest(bytes);
  }
}
