import type { EjectionCause } from "../api/link-message.ts";
import type { CallFailure } from "../ports/upstream.ts";
import type { AttemptFailure } from "../routing/next-attempt.ts";

/** What the request makes of it. */
export function failureCodeOf(why: CallFailure): AttemptFailure["code"] {
  if (why.code === "REFUSED") return "upstream_refused";
  return why.code === "MALFORMED" ? "upstream_malformed" : "upstream_lost";
}

/** A connect without an answer may be our own lack of sockets: it moves the request, but condemns nobody; the judge does. */
export function causeOf(why: CallFailure): EjectionCause | null {
  switch (why.code) {
    case "REFUSED":
      return "refused";
    case "RESET":
      return "reset";
    case "CUT":
      return "cut";
    case "MALFORMED":
      return "malformed";
    case "CONNECT_TIMEOUT":
      return null;
  }
}
