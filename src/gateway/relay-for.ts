import type { WallMs } from "../base/ids.ts";
import type { ChunkWish } from "../wire/chunk-extras.ts";
import type { CompletionRequest } from "../wire/openai-request.ts";
import type { ClientRequest } from "./client-request.ts";
import { wishFor, type GoingOn } from "./continue-stream.ts";
import type { JournalKeeper } from "./journal-keeper.ts";
import { ContinuedRelay, type ContinuedSink } from "./relay-continued.ts";
import { RestartedResponsesRelay } from "./relay-responses-restarted.ts";
import { ResponsesRelay } from "./relay-responses.ts";
import { RestartedRelay } from "./relay-restarted.ts";
import { StreamRelay } from "./relay-stream.ts";
import { toldBy } from "./relay-told.ts";
import type { Relay, RelaySink } from "./relay.ts";

/** Of a streamed answer, as its engine was asked for it. */
export function streamRelay(
  sink: ContinuedSink,
  of: { readonly request: ClientRequest; readonly rest: GoingOn | null; readonly keeper: JournalKeeper; readonly now: WallMs },
): Relay {
  const { request, rest, keeper, now } = of;
  const { parsed } = request;
  if (rest !== null) return toldBy(rest.journal, goingOnRelay(sink, parsed, rest), request, now);
  return toldBy(keeper.journal, beginningRelay(sink, parsed, { wish: wishFor(request, keeper), keeper }), request, now);
}

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
function goingOnRelay(sink: ContinuedSink, { api, includesUsage, continuity }: CompletionRequest, rest: GoingOn): Relay {
  const stops = continuity.kind === "ids" ? continuity.stops : null;
  if (rest.kind === "ids") return new ContinuedRelay(sink, { ...rest, includesUsage, stops });
  return api === "responses" ? new RestartedResponsesRelay(sink, rest.journal) : new RestartedRelay(sink, { ...rest, includesUsage });
}
