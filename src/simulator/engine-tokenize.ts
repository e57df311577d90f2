import { ok } from "../base/result.ts";
import { detokenize } from "../engine-model/detokenize.ts";
import { isTokenId } from "../engine-model/token-ids.ts";
import { tokenize } from "../engine-model/tokenize.ts";
import type { Exchange } from "../ports/http-front.ts";
import type { EngineCore } from "./engine-core.ts";
import { answerError, answerJson, badRequest } from "./engine-error.ts";
import { parseChatPrompt } from "./parse-engine-chat.ts";
import { parseBody } from "./parse-engine-request.ts";

/** `POST /tokenize` of a `prompt`, or of a chat's `messages` through the template. */
export function tokenizeRoute(core: EngineCore, exchange: Exchange, body: Uint8Array): void {
  const document = parseBody(body);
  if (!document.ok) return answerError(exchange, document.error);
  const { prompt } = document.value;
  const tokens = typeof prompt === "string" ? ok(tokenize(prompt)) : parseChatPrompt(document.value);
  if (!tokens.ok) return answerError(exchange, tokens.error);
  answerJson(exchange, 200, { count: tokens.value.length, max_model_len: core.limits.contextLength, tokens: tokens.value });
}

/** `POST /detokenize` of `tokens`. */
export function detokenizeRoute(exchange: Exchange, body: Uint8Array): void {
  const document = parseBody(body);
  if (!document.ok) return answerError(exchange, document.error);
  const tokens: unknown = document.value["tokens"];
  const ids = Array.isArray(tokens) ? tokens.filter(isTokenId) : [];
  if (!Array.isArray(tokens) || ids.length !== tokens.length)
    return answerError(exchange, badRequest("tokens must be token ids.", "tokens"));
  answerJson(exchange, 200, { prompt: detokenize(ids) });
}
