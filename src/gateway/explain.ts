import type { AttemptFailure, RefusalCode } from "../routing/next-attempt.ts";
import { API_OF_TARGET } from "../wire/openai-api.ts";
import type { OpenAiError } from "../wire/openai-error.ts";

/** Where nothing better is known. */
const RETRY_AFTER_MS = 1_000;
const never = { kind: "never" } as const;

export const invalidRequest = (code: string, message: string, param: string | null): OpenAiError => ({
  status: 400,
  type: "invalid_request_error",
  code,
  message,
  param,
  retry: never,
});

export const unknownModel = (model: string): OpenAiError => ({
  status: 404,
  type: "not_found_error",
  code: "model_not_found",
  // The name comes from the client and goes back to it only; JSON escapes it.
  message: `The model '${model.slice(0, 200)}' does not exist or you do not have access to it.`,
  param: "model",
  retry: never,
});

export const unknownRoute: OpenAiError = {
  status: 404,
  type: "not_found_error",
  code: "unknown_url",
  message: `This address has nothing. Served are POST ${Object.keys(API_OF_TARGET).join(", POST ")} and GET /v1/models.`,
  param: null,
  retry: never,
};

export const wrongMethod: OpenAiError = {
  status: 405,
  type: "invalid_request_error",
  code: "method_not_allowed",
  message: "This address does not take this method.",
  param: null,
  retry: never,
};

export const unauthorised: OpenAiError = {
  status: 401,
  type: "authentication_error",
  code: "invalid_api_key",
  message: "Give a valid API key as 'Authorization: Bearer KEY'. `tidegate keys create` makes one.",
  param: null,
  retry: never,
};

export const bodyTooLarge = (limitBytes: number): OpenAiError => ({
  status: 413,
  type: "invalid_request_error",
  code: "body_too_large",
  message: `The body is larger than ${limitBytes} bytes.`,
  param: null,
  retry: never,
});

export const encodedBody: OpenAiError = {
  status: 415,
  type: "invalid_request_error",
  code: "unsupported_content_encoding",
  message: "Send the body without content-encoding.",
  param: null,
  retry: never,
};

export const tooManyOpen = (limit: number): OpenAiError => ({
  status: 429,
  type: "rate_limit_error",
  code: "concurrency_limit",
  message: `This service already has ${limit} open requests, its limit.`,
  param: null,
  retry: { kind: "after", delayMs: 1_000 },
});

export const tooManyTokens = (limit: number, param: "max_tokens" | "max_output_tokens"): OpenAiError =>
  invalidRequest("max_tokens_too_large", `This service gives at most ${limit} tokens per answer.`, param);

export const outOfMemory: OpenAiError = unavailable("gateway_full", "The gateway holds as many requests as it can.", 1_000);

export const starting: OpenAiError = unavailable("gateway_starting", "The gateway has not been told its routes yet.", 250);

export const draining: OpenAiError = unavailable("gateway_draining", "The gateway is about to end.", 500);

/** No 5xx: a proxy would try it at the next gateway, which does not know it yet. */
const requestQuarantined: OpenAiError = {
  status: 422,
  type: "invalid_request_error",
  code: "request_quarantined",
  message:
    "Instances of this model died while they served this request or one just like it. It is not tried again for now; change the request.",
  param: null,
  retry: never,
};

/** What the client reads when no attempt may be made any more and no byte was sent. */
export function explainRefusal(code: RefusalCode, model: string, retryAfterMs: number | null): OpenAiError {
  switch (code) {
    case "service_gone":
      return unknownModel(model);
    case "hold_full":
      return unavailable("hold_full", "No instance of this model is ready, and as many requests wait as may.", 1_000);
    case "no_endpoint":
      return unavailable("no_endpoint", "No instance of this model became ready in time.", retryAfterMs ?? RETRY_AFTER_MS);
    case "shed":
      return unavailable(
        "shed",
        "No instance of this model is ready, and its service sends requests away meanwhile.",
        retryAfterMs ?? RETRY_AFTER_MS,
      );
    case "request_quarantined":
      return requestQuarantined;
    case "upstream_busy":
      return {
        status: 429,
        type: "rate_limit_error",
        code,
        message: "Every instance of this model is full.",
        param: null,
        retry: { kind: "after", delayMs: 1_000 },
      };
    case "upstream_lost":
    case "upstream_refused":
    case "upstream_stalled":
    case "upstream_malformed":
    case "upstream_truncated":
    case "upstream_error":
    case "upstream_diverged":
    case "upstream_rejected":
    case "upstream_drained":
      // The gateway has tried as often as its budget lets it: a client that retries at once makes it worse.
      return { status: 502, type: "server_error", code, message: explainLoss(code), param: null, retry: never };
  }
}

/** One sentence for people on why an answer broke off. */
export function explainLoss(code: AttemptFailure["code"]): string {
  switch (code) {
    case "upstream_lost":
      return "The instance that served this request was lost.";
    case "upstream_refused":
      return "The instance for this request refuses connections.";
    case "upstream_stalled":
      return "The instance that served this request stopped making progress.";
    case "upstream_malformed":
      return "The instance that served this request sent an unreadable answer.";
    case "upstream_truncated":
      return "The instance that served this request ended the answer before it was complete.";
    case "upstream_error":
      return "The instance that served this request failed.";
    case "upstream_busy":
      return "The instance that served this request is full.";
    case "upstream_rejected":
      return "The instance that served this request was lost, and another one does not take the rest of the answer.";
    case "upstream_drained":
      return "The instance that served this request ended.";
    case "upstream_diverged":
      return "The instance that served this request was lost, and no other one goes on with the same answer.";
  }
}

function unavailable(code: string, message: string, delayMs: number): OpenAiError {
  return { status: 503, type: "service_unavailable_error", code, message, param: null, retry: { kind: "after", delayMs } };
}
