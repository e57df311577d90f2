import type { CallFailure } from "../../ports/upstream.ts";

export type FailureCode = CallFailure["code"];

/** Our own error: nobody answered the connect. */
export class ConnectTimeout extends Error {}

/**
 * Why no connection came about. REFUSED is an answer, a hard signal; all else (no route, no name, no file descriptor left here) is
 * the absence of one, and must not condemn an engine.
 */
export function connectFailure(error: Error): FailureCode {
  const code = codeOf(error);
  if (code === "UND_ERR_INVALID_ARG") return "MALFORMED";
  return code === "ECONNREFUSED" || code === "ECONNRESET" || code === "EPIPE" ? "REFUSED" : "CONNECT_TIMEOUT";
}

/** Why a call that had begun broke: RESET by the peer's kernel, CUT by an end before the answer was complete, MALFORMED = not HTTP. */
export function callFailure(error: Error): FailureCode {
  const code = codeOf(error);
  if (code === "ECONNRESET" || code === "EPIPE") return "RESET";
  // llhttp's own errors come without a code; an end before the answer's is one of them.
  if (error.name === "HTTPParserError") return /\bEOF\b/.test(error.message) ? "CUT" : "MALFORMED";
  return MALFORMED.has(code) || error.message.startsWith("bad ") ? "MALFORMED" : "CUT";
}

const MALFORMED: ReadonlySet<string> = new Set(["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "UND_ERR_HEADERS_OVERFLOW"]);

const codeOf = (error: Error): string => ("code" in error && typeof error.code === "string" ? error.code : "");
