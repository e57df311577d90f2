import type { Duplex } from "node:stream";
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

/** The body of a refusal, in OpenAI's shape. */
export const renderRefusal = ({ code, message }: Refusal): string =>
  JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code } });

/** Answers where node:http has no response object, and closes. */
export function answerOnSocket(socket: Duplex, refusal: Refusal): void {
  const body = renderRefusal(refusal);
  const head = [
    `HTTP/1.1 ${refusal.status} ${http.STATUS_CODES[refusal.status] ?? ""}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  // The rest of what the client sends is not read: after the answer nothing on this connection means anything.
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}
