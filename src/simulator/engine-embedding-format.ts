import { embedPrompt } from "../engine-model/embed-prompt.ts";
import { hashPrompt } from "../engine-model/token-source.ts";
import type { AnswerFormat, AnswerIdentity } from "./engine-answer-format.ts";
import { DIMENSIONS_DEFAULT } from "./parse-engine-embedding.ts";

/** One vector for each prompt. The token that a step makes of it is not told, and not counted. */
export function createEmbeddingFormat(identity: AnswerIdentity): AnswerFormat {
  return { contentType: "application/json", token: () => "", abort: () => "", close: ({ promptTokens }) => render(identity, promptTokens) };
}

function render({ id, created, request, revision }: AnswerIdentity, promptTokens: number): string {
  const { model, sampling, body, prompts } = request;
  const dimensions = typeof body["dimensions"] === "number" ? body["dimensions"] : DIMENSIONS_DEFAULT;
  const data = prompts.map((prompt, index) => {
    const vector = embedPrompt(hashPrompt({ model, revision, sampling, choice: 0 }, prompt), dimensions);
    const embedding = body["encoding_format"] === "base64" ? Buffer.from(vector.buffer).toString("base64") : [...vector];
    return { object: "embedding", index, embedding };
  });
  return JSON.stringify({
    id,
    object: "list",
    created,
    model,
    data,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens, completion_tokens: 0 },
  });
}
