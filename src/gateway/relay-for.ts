import type { ChunkWish } from "../wire/chunk-extras.ts";
import type { CompletionRequest } from "../wire/openai-request.ts";
import type { ClientRequest } from "./client-request.ts";
import type { GoingOn } from "./continue-stream.ts";
import { ContinuedRelay } from "./relay-continued.ts";
import { RestartedResponsesRelay } from "./relay-responses-restarted.ts";
import { ResponsesRelay } from "./relay-responses.ts";
import { RestartedRelay } from "./relay-restarted.ts";
import { StreamRelay } from "./relay-stream.ts";
import type { Relay, RelaySink } from "./relay.ts";

/** Of a streamed answer that begins here. */
export function beginningRelay(
  sink: RelaySink,
  { api }: Pick<CompletionRequest, "api">,
  { wish, journal }: { readonly wish: ChunkWish; readonly journal: ClientRequest["journal"] },
): Relay {
  if (api === "responses") return new ResponsesRelay(sink, journal?.kind === "chunks" ? journal : null);
  return new StreamRelay(sink, wish, journal);
}

/** Of a streamed answer that another engine began. */
export function goingOnRelay(sink: RelaySink, { api, includesUsage }: CompletionRequest, rest: GoingOn): Relay {
  if (rest.kind === "ids") return new ContinuedRelay(sink, { ...rest, includesUsage });
  return api === "responses" ? new RestartedResponsesRelay(sink, rest.journal) : new RestartedRelay(sink, { ...rest, includesUsage });
}
