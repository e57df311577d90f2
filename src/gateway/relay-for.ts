import type { ChunkWish } from "../wire/chunk-extras.ts";
import type { CompletionRequest } from "../wire/openai-request.ts";
import type { GoingOn } from "./continue-stream.ts";
import type { JournalKeeper } from "./journal-keeper.ts";
import { ContinuedRelay, type ContinuedSink } from "./relay-continued.ts";
import { RestartedResponsesRelay } from "./relay-responses-restarted.ts";
import { ResponsesRelay } from "./relay-responses.ts";
import { RestartedRelay } from "./relay-restarted.ts";
import { StreamRelay } from "./relay-stream.ts";
import type { Relay, RelaySink } from "./relay.ts";

/** Of a streamed answer that begins here. */
export function beginningRelay(
  sink: RelaySink,
  { api }: Pick<CompletionRequest, "api">,
  { wish, keeper }: { readonly wish: ChunkWish; readonly keeper: JournalKeeper | null },
): Relay {
  const journal = keeper?.journal ?? null;
  if (api === "responses") return new ResponsesRelay(sink, journal?.kind === "chunks" ? journal : null);
  return new StreamRelay(sink, wish, journal === null ? null : keeper);
}

/** Of a streamed answer that another engine began. */
export function goingOnRelay(sink: ContinuedSink, { api, includesUsage, continuity }: CompletionRequest, rest: GoingOn): Relay {
  const stops = continuity.kind === "ids" ? continuity.stops : null;
  if (rest.kind === "ids") return new ContinuedRelay(sink, { ...rest, includesUsage, stops });
  return api === "responses" ? new RestartedResponsesRelay(sink, rest.journal) : new RestartedRelay(sink, { ...rest, includesUsage });
}
