/** The `type` values that OpenAI's clients know. */
type OpenAiErrorType =
  | "invalid_request_error"
  | "authentication_error"
  | "not_found_error"
  | "rate_limit_error"
  | "server_error"
  | "service_unavailable_error";

export interface OpenAiError {
  readonly status: number;
  readonly type: OpenAiErrorType;
  /** Stable; what programs compare. */
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  /** What the OpenAI SDKs do next, always said: their own rule would ask again on every 409 and 5xx, and never where they know no better. */
  readonly retry: { readonly kind: "never" } | { readonly kind: "after"; readonly delayMs: number };
}

// The Node SDK ignores a longer wait.
const RETRY_AFTER_MAX_MS = 60_000;

export const openAiErrorBody = (error: OpenAiError): Buffer =>
  Buffer.from(JSON.stringify({ error: { message: error.message, type: error.type, param: error.param, code: error.code } }));

/** Raw pairs of everything that belongs to an error answer, its length included. */
export function openAiErrorHeaders(error: OpenAiError, body: Uint8Array): string[] {
  const headers = ["content-type", "application/json", "content-length", String(body.length)];
  switch (error.retry.kind) {
    case "never":
      return [...headers, "x-should-retry", "false"];
    case "after": {
      const delayMs = Math.min(RETRY_AFTER_MAX_MS, Math.max(0, Math.ceil(error.retry.delayMs)));
      return [...headers, "x-should-retry", "true", "retry-after-ms", String(delayMs), "retry-after", String(Math.ceil(delayMs / 1_000))];
    }
  }
}

/** The event that ends a stream whose head is already sent; no `[DONE]` comes after it. */
export const openAiErrorEvent = (error: Pick<OpenAiError, "message" | "type" | "code">): Buffer =>
  Buffer.from(`data: ${JSON.stringify({ error: { message: error.message, type: error.type, param: null, code: error.code } })}\n\n`);
