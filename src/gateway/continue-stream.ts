import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import type { UpstreamRequest } from "../ports/upstream.ts";
import type { StreamPrefix } from "../routing/next-attempt.ts";
import type { ChunkWish } from "../wire/chunk-extras.ts";
import { chunkForm, DONE_EVENT } from "../wire/continued-chunk.ts";
import { continueBody, tellsIds } from "../wire/continue-request.ts";
import type { ClientRequest } from "./client-request.ts";
import type { Continuation } from "./stream-journal.ts";
import { tokenLimitOf, upstreamModelOf } from "./upstream-request.ts";

/** Of one stream: some ten thousand tokens after a long prompt. */
export const JOURNAL_BYTES_MAX = 1_048_576;

/** What an engine is asked for beside what the client wants, so that another one could go on, and tokens are counted as it counts them. */
export function wishFor(request: ClientRequest, { engine }: Pick<RungEndpoint, "engine">): ChunkWish {
  const { parsed, degradedTo } = request;
  if (!parsed.isStream) return { takesIds: false, takesUsage: false };
  return { takesIds: parsed.continuity.kind === "ids" && degradedTo === null && tellsIds(engine), takesUsage: !parsed.includesUsage };
}

/** Why a stream ends with its engine. */
export type ContinueRefusal = "choices" | "logprobs" | "ids-asked" | "restart" | "no-ids" | "too-long" | "parsed" | "no-room";

/** How a stream that has begun goes on. `left` = tokens that may still come. */
export type StreamRest =
  | { readonly kind: "ids"; readonly from: Continuation; readonly tokensLeft: number; readonly prefix: StreamPrefix }
  /** The client has all of it but the framing. */
  | { readonly kind: "framing" }
  | { readonly kind: "none"; readonly why: ContinueRefusal };

export function restOf(request: ClientRequest, table: RouteTable): StreamRest {
  const { parsed, journal, fingerprint } = request;
  const none = (why: ContinueRefusal): StreamRest => ({ kind: "none", why });
  if (!parsed.isStream || request.degradedTo !== null) return none("no-ids");
  if (parsed.continuity.kind === "none") return none(parsed.continuity.why);
  if (parsed.continuity.kind === "restart") return none("restart");
  if (journal === null || fingerprint === null) return none("no-ids");
  if (journal.hasFinish) return { kind: "framing" };
  if (journal.isParsed) return none("parsed");
  const from = journal.continuation();
  if (from === null) return none(journal.gap ?? "no-ids");
  const tokens = from.promptTokens + from.shownTokens;
  const limit = tokenLimitOf(request, table) ?? Number.POSITIVE_INFINITY;
  const tokensLeft = Math.min(limit - from.shownTokens, table.contextLength - tokens);
  if (tokensLeft < 1) return none("no-room");
  return { kind: "ids", from, tokensLeft, prefix: { tokens, fingerprint } };
}

/** What the engine that goes on is asked. */
export function continueRequestOf(
  request: ClientRequest,
  to: { readonly table: RouteTable; readonly endpoint: RungEndpoint },
  { from, tokensLeft }: Extract<StreamRest, { kind: "ids" }>,
): UpstreamRequest {
  const { promptIds, shownIds, shownTokens } = from;
  const upstreamModel = upstreamModelOf(request, to);
  return {
    method: "POST",
    target: "/v1/completions",
    headers: ["content-type", "application/json", "accept", "text/event-stream", "x-request-id", request.id],
    body: continueBody({ body: request.body, upstreamModel, promptIds, shownIds, shownTokens, tokensLeft }),
  };
}

/** What is missing when the reason of the end is there. Usage is what the journal counts: the engine that would tell it is gone. */
export function closingFrames({ parsed, journal }: ClientRequest): readonly Buffer[] {
  const from = journal?.continuation() ?? null;
  const form = from === null ? null : chunkForm(from.template);
  if (!parsed.includesUsage || from === null || form === null) return [DONE_EVENT];
  const { promptTokens, shownTokens } = from;
  return [
    form.usage({ prompt_tokens: promptTokens, completion_tokens: shownTokens, total_tokens: promptTokens + shownTokens }),
    DONE_EVENT,
  ];
}
