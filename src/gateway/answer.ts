import type { Level } from "../api/hot-standby-config.ts";
import type { RungEndpoint } from "../api/route-table.ts";
import type { Exchange } from "../ports/http-front.ts";
import { openAiErrorBody, openAiErrorHeaders, type OpenAiError } from "../wire/openai-error.ts";

export const STREAM_HEADERS = ["content-type", "text/event-stream; charset=utf-8", "cache-control", "no-cache", "x-accel-buffering", "no"];

/** Answers an error whose head is not sent yet, and ends. @param more headers beside those of every error. */
export function answerError(exchange: Exchange, requestId: string, error: OpenAiError, more: readonly string[] = []): void {
  const body = openAiErrorBody(error);
  exchange.head(error.status, [...openAiErrorHeaders(error, body), ...more, "x-request-id", requestId]);
  exchange.write(body);
  exchange.end();
}

export function answerJson(exchange: Exchange, requestId: string, body: Uint8Array): void {
  exchange.head(200, ["content-type", "application/json", "content-length", String(body.length), "x-request-id", requestId]);
  exchange.write(body);
  exchange.end();
}

interface Server {
  readonly endpoint: RungEndpoint;
  readonly level: Level;
  /** The model of a degraded step; null = the one that was asked for. */
  readonly degradedTo: string | null;
  readonly attempts: number;
}

/** Says who served: the same on every answer that came from an engine. */
export const servedBy = (requestId: string, by: Server): string[] => [
  "x-request-id",
  requestId,
  "x-tidegate-instance",
  by.endpoint.instance,
  "x-tidegate-level",
  by.degradedTo === null ? by.level : "degraded",
  "x-tidegate-attempts",
  String(by.attempts),
  ...(by.degradedTo === null ? [] : ["x-tidegate-model", by.degradedTo]),
];

/** The same of a stream whose head was out before anybody served it. A model's name has no line break: the manifest's form forbids it. */
export const degradedComment = (model: string): Buffer => Buffer.from(`: x-tidegate-level: degraded\n: x-tidegate-model: ${model}\n\n`);
