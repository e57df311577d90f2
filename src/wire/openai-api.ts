/** The calls of OpenAI's API that engines answer. */
export type OpenAiApi = "chat" | "completions" | "embeddings" | "responses";

export type ApiTarget = "/v1/chat/completions" | "/v1/completions" | "/v1/embeddings" | "/v1/responses";

export const API_OF_TARGET: Readonly<Record<ApiTarget, OpenAiApi>> = {
  "/v1/chat/completions": "chat",
  "/v1/completions": "completions",
  "/v1/embeddings": "embeddings",
  "/v1/responses": "responses",
};

export const isApiTarget = (path: string): path is ApiTarget => Object.hasOwn(API_OF_TARGET, path);
