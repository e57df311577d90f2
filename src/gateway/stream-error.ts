import { openAiErrorEvent, type OpenAiError } from "../wire/openai-error.ts";
import { responsesEvent } from "../wire/parse-responses-event.ts";
import type { ClientRequest } from "./client-request.ts";

/** The event that ends a stream whose status is sent, in the form of its API; nothing comes after it. */
export function streamErrorEvent(
  { parsed, journal, hasFirstByte }: Pick<ClientRequest, "parsed" | "journal" | "hasFirstByte">,
  error: Pick<OpenAiError, "message" | "type" | "code">,
): Buffer {
  if (parsed.api !== "responses") return openAiErrorEvent(error);
  const sequence = hasFirstByte && journal?.kind === "chunks" ? journal.nextSequence() : 0;
  return responsesEvent({ type: "error", code: error.code, message: error.message, param: null, sequence_number: sequence });
}
