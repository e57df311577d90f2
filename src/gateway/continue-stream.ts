import type { RouteTable } from "../api/route-table.ts";
import { later } from "../base/ids.ts";
import type { UpstreamRequest } from "../ports/upstream.ts";
import type { StreamPrefix } from "../routing/next-attempt.ts";
import type { ChunkWish } from "../wire/chunk-extras.ts";
import { DONE_EVENT } from "../wire/continued-chunk.ts";
import { continueAskOf, idEngineOf } from "../wire/id-engine.ts";
import { attemptIdOf, promptTokensOf, type ClientRequest } from "./client-request.ts";
import type { JournalRoom } from "./journal-room.ts";
import { ShownJournal } from "./shown-journal.ts";
import { ShownTail } from "./shown-tail.ts";
import type { ContinueRefusal } from "./stream-past.ts";
import { StreamJournal, type Continuation } from "./stream-journal.ts";
import { NO_WISH, tokenLimitOf, upstreamModelOf, upstreamRequestOf, type Destination } from "./upstream-request.ts";

/** As long as its client bears silence from a service that is there. */
const STREAM_WAIT_MS = 30_000;
/** Of one stream: a prompt of three hundred thousand tokens, or some thousand chunks. */
export const JOURNAL_BYTES_MAX = 2_097_152;

/** What an engine is asked for beside what the client wants, so that another one could go on, and tokens are counted as it counts them. */
export function wishFor({ parsed }: ClientRequest, { journal }: Pick<ClientRequest, "journal">): ChunkWish {
  if (!parsed.isStream) return NO_WISH;
  return { takesIds: journal?.kind === "ids", takesUsage: !parsed.includesUsage };
}

/** What of a stream is kept while it runs; null = it ends with its engine. */
export function journalFor(request: ClientRequest, to: Destination, room: JournalRoom): ClientRequest["journal"] {
  const { parsed, degradedTo, target } = request;
  if (!parsed.isStream) return null;
  const isKept = degradedTo === null && parsed.continuity.kind !== "none";
  // An error must be numbered after the last event, whether the answer can be made again or not.
  if (parsed.api === "responses") return new ShownJournal(isKept ? JOURNAL_BYTES_MAX : 0, room);
  if (!isKept) return null;
  const { own, heldBack, endsWhole, completionTokens } = idEngineOf(to.endpoint.engine);
  const shown = new ShownJournal(JOURNAL_BYTES_MAX, room);
  if (parsed.continuity.kind !== "ids" || !to.endpoint.namesIds) return shown;
  const { stops } = parsed.continuity;
  if (stops !== null && heldBack === null) return shown;
  const tail = stops === null || heldBack === null ? null : new ShownTail(stops, heldBack);
  // Who says null asks for as many as fit.
  const tokensUnasked = target === "/v1/completions" && parsed.limitField === null ? completionTokens : null;
  if (own === null) return new StreamJournal(JOURNAL_BYTES_MAX, room, { tail, tokensUnasked, endsWhole });
  // Adapters, templates and parsers belong to the OpenAI form.
  const isPlain = target === "/v1/completions" && request.model === to.table.models[0] && own.mayAsk(request.body);
  const ownOf = { own, isPromptTold: own.tellsPrompt, spare: shown };
  return isPlain ? new StreamJournal(JOURNAL_BYTES_MAX, room, { tail, tokensUnasked, endsWhole, ...ownOf }) : shown;
}

/** The journal that it can go on from. */
const bestOf = ({ journal }: ClientRequest): ClientRequest["journal"] => (journal?.kind === "ids" ? journal.best : journal);

/** What an engine is asked that begins an answer, or makes it again. */
export function firstRequestOf(request: ClientRequest, to: Destination, kept: Pick<ClientRequest, "journal">): UpstreamRequest {
  const { journal } = kept;
  const own = journal?.kind === "ids" ? journal.own : null;
  if (own === null) return upstreamRequestOf(request, to, attemptIdOf(request), wishFor(request, kept));
  const { body } = request;
  return { method: "POST", headers: headersOf(request), ...own.first({ body, maxTokens: tokenLimitOf(request, to.table) }) };
}

const headersOf = (request: ClientRequest): readonly string[] => [
  "content-type",
  "application/json",
  "accept",
  "text/event-stream",
  "x-request-id",
  attemptIdOf(request),
];

/** An answer that goes on elsewhere. */
export type GoingOn =
  /** From the ids of what was shown. */
  | {
      readonly kind: "ids";
      readonly from: Continuation;
      readonly journal: StreamJournal;
      readonly tokensLeft: number;
      readonly prefix: StreamPrefix;
    }
  /** From its beginning, compared with what was shown. */
  | { readonly kind: "restart"; readonly journal: ShownJournal; readonly prefix: StreamPrefix };

export type StreamRest =
  | GoingOn
  /** The client has all of it but the framing. */
  | { readonly kind: "framing" }
  | { readonly kind: "none"; readonly why: ContinueRefusal };

export function restOf(request: ClientRequest, table: RouteTable): StreamRest {
  const { parsed, fingerprint } = request;
  const journal = bestOf(request);
  if (!parsed.isStream) return none("whole");
  if (request.degradedTo !== null) return none("degraded");
  if (parsed.continuity.kind === "none") return none(parsed.continuity.why);
  if (journal === null || fingerprint === null) return none("no-ids");
  // Of chunks nobody counts the tokens: they are told by whoever makes the answer again.
  if (journal.hasFinish && (journal.kind === "ids" || journal.hasUsage || !parsed.includesUsage)) return { kind: "framing" };
  if (journal.kind === "ids") return idsRest(request, table, { journal, fingerprint });
  if (journal.isTooLong) return none("too-long");
  return { kind: "restart", journal, prefix: prefixOf(request, Math.ceil(promptTokensOf(request)), fingerprint) };
}

function idsRest(request: ClientRequest, table: RouteTable, of: { journal: StreamJournal; fingerprint: string }): StreamRest {
  const { journal, fingerprint } = of;
  if (journal.isParsed) return none("parsed");
  const from = journal.continuation();
  if (from === null) return none(journal.gap ?? "no-ids");
  const tokens = (from.promptTokens ?? Math.ceil(promptTokensOf(request))) + from.shownTokens;
  const tokensLeft = Math.min(
    (tokenLimitOf(request, table) ?? journal.tokensUnasked ?? Number.POSITIVE_INFINITY) - from.shownTokens,
    // Who reads the client's prompt again counts it, and ends where its context ends.
    from.promptTokens === null ? Number.POSITIVE_INFINITY : table.contextLength - tokens,
  );
  if (tokensLeft < 1) return none("no-room");
  return { kind: "ids", from, journal, tokensLeft, prefix: prefixOf(request, tokens, fingerprint) };
}

const prefixOf = ({ past, sentAt }: ClientRequest, tokens: number, fingerprint: string): StreamPrefix => ({
  tokens,
  fingerprint,
  waitUntil: later(past.lostAt ?? sentAt, STREAM_WAIT_MS),
});

const none = (why: ContinueRefusal): StreamRest => ({ kind: "none", why });

/** What the engine that goes on is asked. */
export function continueRequestOf(
  request: ClientRequest,
  to: Destination,
  { from, tokensLeft }: Extract<GoingOn, { kind: "ids" }>,
): UpstreamRequest {
  const { promptIds, shownIds, shownTokens } = from;
  const upstreamModel = upstreamModelOf(request, to);
  return {
    method: "POST",
    headers: headersOf(request),
    ...continueAskOf(idEngineOf(to.endpoint.engine), { body: request.body, upstreamModel, promptIds, shownIds, shownTokens, tokensLeft }),
  };
}

/** What is missing when the reason of the end is there. Usage is what the journal counts: the engine that would tell it is gone. */
export function closingFrames({ parsed, journal }: ClientRequest): readonly Buffer[] {
  if (!parsed.includesUsage || journal?.hasUsage === true) return [DONE_EVENT];
  const from = journal?.kind === "ids" ? journal.continuation() : null;
  if (from === null || from.promptTokens === null) return [DONE_EVENT];
  const { promptTokens, shownTokens, form } = from;
  return [
    form.usage({ prompt_tokens: promptTokens, completion_tokens: shownTokens, total_tokens: promptTokens + shownTokens }),
    DONE_EVENT,
  ];
}
