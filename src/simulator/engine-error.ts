import { encodeText } from "../base/bytes.ts";
import type { Exchange } from "../ports/http-front.ts";

/** An error in OpenAI's shape. */
export interface EngineError {
  readonly status: number;
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

export const badRequest = (message: string, param: string | null, code: string | null = null): EngineError => ({
  status: 400,
  message,
  type: "invalid_request_error",
  param,
  code,
});

export const serverError = (status: number, message: string, code: string): EngineError => ({
  status,
  message,
  type: status === 503 ? "service_unavailable" : "server_error",
  param: null,
  code,
});

export function answerError(exchange: Exchange, { status, message, type, param, code }: EngineError): void {
  answerJson(exchange, status, { error: { message, type, param, code } });
}

export function answerJson(exchange: Exchange, status: number, value: unknown): void {
  answerText(exchange, status, JSON.stringify(value), "application/json");
}

export function answerText(exchange: Exchange, status: number, text: string, contentType: string): void {
  const bytes = encodeText(text);
  exchange.head(status, ["content-type", contentType, "content-length", String(bytes.byteLength)]);
  if (bytes.byteLength > 0) exchange.write(bytes);
  exchange.end();
}
