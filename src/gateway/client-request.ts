import type { SuspectBody } from "../admission/suspect-bodies.ts";
import type { MonotonicMs, TenantId } from "../base/ids.ts";
import type { EndpointKey } from "../routing/health.ts";
import type { AttemptFailure, StreamPrefix } from "../routing/next-attempt.ts";
import type { Exchange } from "../ports/http-front.ts";
import type { ApiTarget } from "../wire/openai-api.ts";
import type { CompletionRequest } from "../wire/openai-request.ts";
import type { DeathUnderRequest } from "./engine-death.ts";
import type { HeldRequest, ServiceDesk } from "./service-desk.ts";
import type { ShownJournal } from "./shown-journal.ts";
import type { StreamPast } from "./stream-past.ts";
import type { StreamJournal } from "./stream-journal.ts";

/** What ends the wait of a request, whoever holds it. */
export interface RunningAttempt {
  /** The client has room again. */
  drained(): void;
  /** The client is gone: the engine stops at once. */
  cancel(): void;
}

/** One accepted request of a client, from admission to its end. Owned and changed by the pump and its attempts. */
export interface ClientRequest {
  readonly id: string;
  /** The id with something of our own: clients repeat theirs, and engines refuse a second request of one id. */
  readonly upstreamId: string;
  readonly tenant: TenantId;
  readonly model: string;
  readonly target: ApiTarget;
  readonly exchange: Exchange;
  readonly desk: ServiceDesk;
  readonly body: Buffer;
  readonly parsed: CompletionRequest;
  /** A token limit to add, because the request names none and the service has one. */
  readonly addedMaxTokens: number | null;
  readonly slot: { release(): void };
  readonly arrivedAt: MonotonicMs;
  /** Of a stream that waited: its head is out, and comments keep it open; nothing of an answer has begun. */
  hasHead: boolean;
  /** When its client was last told anything, to a second; its arrival before that. */
  commentedAt: MonotonicMs;
  /** Its client does not read: no comment is added to what waits for it. */
  isFull: boolean;
  hasFirstByte: boolean;
  /** What another engine would go on from; null = nothing was kept. Anew with each attempt until the first byte. */
  journal: StreamJournal | ShownJournal | null;
  /** Of the engine whose tokens the client has. */
  fingerprint: string | null;
  /** Of a stream that lost its engine and can go on; null = it cannot, or has not begun. */
  prefix: StreamPrefix | null;
  readonly past: StreamPast;
  isSettled: boolean;
  /** Its first attempt ran without a first token when one was due. */
  isLate: boolean;
  attempts: number;
  reroutes: number;
  failure: AttemptFailure | null;
  tried: EndpointKey[];
  /** Engines that died with it in flight, those that died with the same body before included; oldest first. */
  deaths: readonly DeathUnderRequest[];
  /** What is known against its body; null = nothing. */
  suspectBody: SuspectBody<DeathUnderRequest> | null;
  /** It is the one more try of its body. */
  isTrial: boolean;
  /** It is not tried again: engines died under it, or under the same body. */
  isQuarantined: boolean;
  /** The model that answers in its place, of a degraded step; null = its own. */
  degradedTo: string | null;
  /** false once the other model's engine called it wrong: what is wrong there need not be wrong. */
  canDegrade: boolean;
  /** Until when it may wait for an endpoint, all its waits together; the time that it runs somewhere does not count. */
  holdUntil: MonotonicMs;
  /** Its last attempt went to hot while traffic belonged below. */
  isReturned: boolean;
  /** When its last attempt began. */
  sentAt: MonotonicMs;
  running: RunningAttempt | null;
  /** Set while the request waits in its desk's hold queue. */
  held: HeldRequest | null;
}

/** What names the attempt that runs now in its engine's log; no engine is told one twice. */
export const attemptIdOf = ({ upstreamId, attempts }: Pick<ClientRequest, "upstreamId" | "attempts">): string =>
  `${upstreamId}-${attempts}`;

/** English text has about four bytes a token; only patience depends on it. */
export const promptTokensOf = (request: Pick<ClientRequest, "body">): number => request.body.length / 4;
