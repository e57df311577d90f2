import type { Duplex } from "node:stream";
import { openAiErrorBody, openAiErrorHeaders } from "../../wire/openai-error.ts";
import { http } from "./lean-http.ts";

/** An answer that the front gives by itself, before any handler. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** What node:http's `clientError` codes mean to the client. */
export function refusalOf(errorCode: string): Refusal {
  switch (errorCode) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, code: "headers_too_large", message: "The request's head is larger than 16 KiB or has too many lines." };
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return { status: 413, code: "chunk_extensions_too_large", message: "The chunk extensions of the body are too large." };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, code: "request_timeout", message: "The request took too long to arrive." };
    default:
      return { status: 400, code: "malformed_request", message: "The request is not valid HTTP/1.1." };
  }
}

/** A refusal in OpenAI's shape. What took too long to arrive may be sent again; all else is as wrong the second time. */
export function openAiRefusal({ status, code, message }: Refusal): { readonly headers: readonly string[]; readonly body: Buffer } {
  const retry = status === 408 ? ({ kind: "after", delayMs: TIMEOUT_RETRY_MS } as const) : ({ kind: "never" } as const);
  const error = { status, type: "invalid_request_error", code, message, param: null, retry } as const;
  const body = openAiErrorBody(error);
  return { headers: openAiErrorHeaders(error, body), body };
}

const TIMEOUT_RETRY_MS = 1_000;

/** Answers where node:http has no response object, and closes. */
export function answerOnSocket(socket: Duplex, refusal: Refusal): void {
  const { headers, body } = openAiRefusal(refusal);
  const lines = [`HTTP/1.1 ${refusal.status} ${http.STATUS_CODES[refusal.status] ?? ""}`];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  // The rest of what the client sends is not read: after the answer nothing on this connection means anything.
  socket.end(`${lines.join("\r\n")}\r\nconnection: close\r\n\r\n${body.toString("utf8")}`, () => socket.destroy());
}
