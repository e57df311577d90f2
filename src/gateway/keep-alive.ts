import type { MonotonicMs } from "../base/ids.ts";
import { STREAM_HEADERS } from "./answer.ts";
import type { ClientRequest } from "./client-request.ts";
import type { EndpointBoard } from "./endpoint-board.ts";

/** Proxies give up streams that stay silent: who waits for an instance waits so long without a word. */
const QUIET_MAX_MS = 2_000;
/** A stream whose head is out is never silent for longer, whoever makes it wait. */
const COMMENT_EVERY_MS = 5_000;
/**
 * While an engine reads a prompt the head is kept back for longer: with it goes the status, and what the engine then says against the request
 * can only be an event. Engines refuse at once; one that has not in ten seconds reads.
 */
const HEADLESS_MAX_MS = 10_000;
const WAIT_COMMENT = Buffer.from(": waiting for an instance\n\n");
const SILENCE_COMMENT = Buffer.from(": keep-alive\n\n");
const LOOK_EVERY_MS = 1_000;

type Quiet = Pick<ClientRequest, "id" | "parsed" | "exchange" | "hasHead" | "hasFirstByte" | "isFull" | "commentedAt">;

/** Tells the client of a stream that waits for an instance that it is not forgotten. */
export function commentOnWait(request: Quiet, now: MonotonicMs): void {
  if (!request.parsed.isStream || now - request.commentedAt < (request.hasHead ? COMMENT_EVERY_MS : QUIET_MAX_MS)) return;
  comment(request, WAIT_COMMENT, now);
}

/** The same of one whose instance says nothing. @param hasHeard its client was told something since the last look. */
export function commentOnSilence(request: Quiet, hasHeard: boolean, now: MonotonicMs): void {
  if (!request.parsed.isStream) return;
  if (hasHeard) request.commentedAt = now;
  const isOpen = request.hasHead || request.hasFirstByte;
  if (now - request.commentedAt >= (isOpen ? COMMENT_EVERY_MS : HEADLESS_MAX_MS)) comment(request, SILENCE_COMMENT, now);
}

/** Nothing is queued for a client that does not read. */
function comment(request: Quiet, bytes: Buffer, now: MonotonicMs): void {
  if (request.isFull) return;
  if (!request.hasHead && !request.hasFirstByte) request.exchange.head(200, [...STREAM_HEADERS, "x-request-id", request.id]);
  request.hasHead = true;
  request.commentedAt = now;
  request.isFull = !request.exchange.write(bytes);
}

/** Looks at all open calls, once a second: no chunk pays for a timer or a clock. */
export class KeepAlive {
  readonly #board: EndpointBoard;
  #lookedAt: MonotonicMs | null = null;

  constructor(board: EndpointBoard) {
    this.#board = board;
  }

  tick(now: MonotonicMs): void {
    if (this.#lookedAt !== null && now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    for (const watch of this.#board.all()) for (const call of watch.calls) call.keepAlive(now);
  }
}
