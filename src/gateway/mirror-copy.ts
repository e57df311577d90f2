import type { EjectionCause } from "../api/link-message.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import type { MonotonicMs } from "../base/ids.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Call, CallEvents, CallFailure, Upstream } from "../ports/upstream.ts";
import type { HealthIndex } from "../routing/health.ts";
import type { AttemptFailure } from "../routing/next-attempt.ts";
import { cutAfterMs, firstTokenCutAfterMs, firstTokenLateAfterMs, lateAfterMs } from "../routing/patience.ts";
import { isEventStream } from "./attempt.ts";
import { causeOf } from "./call-failure.ts";
import { promptTokensOf, type ClientRequest } from "./client-request.ts";
import type { Ejector } from "./ejector.ts";
import type { EndpointBoard, EndpointWatch, LiveCall } from "./endpoint-board.ts";
import { ANSWER_BYTES_MAX } from "./gateway-ports.ts";
import { ErrorRelay } from "./relay-error.ts";
import { beginningRelay } from "./relay-for.ts";
import { WholeRelay } from "./relay-whole.ts";
import type { Relay, RelaySink } from "./relay.ts";
import { NO_WISH, upstreamRequestOf } from "./upstream-request.ts";

/** A copy is a sample of the warm's health: what is not answered by then tells no more. */
const COPY_MAX_MS = 60_000;

export interface MirrorCopyParts {
  readonly ports: { readonly clock: Clock; readonly upstream: Upstream };
  readonly board: EndpointBoard;
  readonly health: HealthIndex;
  readonly ejector: Ejector;
}

/** How a copy ended. A request that the engine calls wrong is an answer too. */
export type CopyOutcome = "ok" | "failed" | "aborted";

/**
 * One copy of a client's request to a resident warm endpoint. Its answer is read, judged and dropped: no client sees it, nothing of
 * the tenant's is counted, and the endpoint's load does not show it. Only the endpoint's own health learns from it.
 */
export class MirrorCopy implements CallEvents, LiveCall, RelaySink {
  readonly request = null;
  readonly endpoint: RungEndpoint;
  readonly tableUid: RouteTable["uid"];
  readonly #parts: MirrorCopyParts;
  readonly #watch: EndpointWatch;
  readonly #ended: (copy: MirrorCopy, outcome: CopyOutcome) => void;
  readonly #contextLength: number;
  readonly #parsed: ClientRequest["parsed"];
  readonly #promptTokens: number;
  #call: Call | null = null;
  #relay: Relay | null = null;
  #deadline: Timer | null = null;
  #bytes = 0;
  #isOver = false;
  hasFirstByte = false;
  waitingSince: MonotonicMs;

  constructor(
    parts: MirrorCopyParts,
    of: { readonly request: ClientRequest; readonly table: RouteTable; readonly endpoint: RungEndpoint },
    ended: (copy: MirrorCopy, outcome: CopyOutcome) => void,
  ) {
    const now = parts.ports.clock.monotonicMs();
    this.#parts = parts;
    this.#ended = ended;
    this.endpoint = of.endpoint;
    this.tableUid = of.table.uid;
    this.#contextLength = of.table.contextLength;
    this.#parsed = of.request.parsed;
    this.#promptTokens = promptTokensOf(of.request);
    this.waitingSince = now;
    this.#watch = parts.board.watch(of.endpoint, of.table, now);
    this.#watch.begin(this, now);
  }

  start(request: ClientRequest, table: RouteTable): void {
    const asked = upstreamRequestOf(request, { table, endpoint: this.endpoint }, `${request.upstreamId}-mirror`);
    this.#call = this.#parts.ports.upstream.call(this.endpoint.address, asked, this);
    this.#deadline = this.#parts.ports.clock.after(COPY_MAX_MS, () => this.abort());
  }

  get isExcused(): boolean {
    return this.#isOver;
  }

  get mayBeCut(): boolean {
    return true;
  }

  /** Nobody waits for a copy. */
  readonly canGoOn = false;

  keepAlive(): void {
    // There is no client.
  }

  /** An answer in one piece has no clock but the copy's own end. */
  patience(gapP99Ms: number): { lateAfterMs: number; cutAfterMs: number } | null {
    if (!this.#parsed.isStream) return null;
    if (this.hasFirstByte) return { lateAfterMs: lateAfterMs(gapP99Ms), cutAfterMs: cutAfterMs(gapP99Ms) };
    const ahead = this.#watch.calls.size;
    return { lateAfterMs: firstTokenLateAfterMs(this.#promptTokens, ahead), cutAfterMs: firstTokenCutAfterMs(this.#promptTokens, ahead) };
  }

  head(status: number, headers: readonly string[]): void {
    this.#watch.sawByte(this.#now());
    if (this.#isOver) return;
    if (status !== 200) this.#relay = new ErrorRelay(this, status, this.#contextLength);
    else if (!this.#parsed.isStream) this.#relay = new WholeRelay(this);
    else if (isEventStream(headers)) this.#relay = beginningRelay(this, this.#parsed, { wish: NO_WISH, keeper: null });
    else this.unusable({ isHard: false, code: "upstream_malformed" });
  }

  data(lent: Uint8Array): void {
    this.#watch.sawByte(this.#now());
    if (this.#isOver) return;
    this.#bytes += lent.length;
    if (this.#bytes > ANSWER_BYTES_MAX) this.abort();
    else this.#relay?.data(lent);
  }

  end(): void {
    this.#watch.sawByte(this.#now());
    if (!this.#isOver) this.#relay?.end();
    this.#close();
  }

  failed(why: CallFailure): void {
    this.#close();
    if (this.#isOver) return;
    const cause = causeOf(why);
    if (cause !== null) this.#parts.ejector.eject(this.#watch, cause);
    this.#finish("failed");
  }

  begin(): void {
    this.hasFirstByte = true;
  }

  progressed(): void {
    const now = this.#now();
    if (this.hasFirstByte) this.#watch.gaps.add(now - this.waitingSince);
    this.waitingSince = now;
    this.#watch.sawToken(now);
  }

  wrote(): void {
    // There is no client: the answer ends here.
  }

  done(): void {
    this.#parts.health.recordAnswer(this.endpoint, false);
    this.#finish("ok");
  }

  refused(): void {
    this.#finish("ok");
  }

  unusable(failure: AttemptFailure): void {
    this.lose(failure);
  }

  lose(failure: AttemptFailure): void {
    if (this.#isOver) return;
    this.#call?.abort();
    this.#close();
    this.#finish("failed");
    if (failure.isHard || failure.code === "upstream_busy") return;
    if (this.#parts.health.recordAnswer(this.endpoint, true)) this.#parts.ejector.eject(this.#watch, softCauseOf(failure));
  }

  /** The engine stops at once. Also after the answer, when only its framing is open. */
  abort(): void {
    if (!this.#watch.calls.has(this)) return;
    this.#call?.abort();
    this.#close();
    if (!this.#isOver) this.#finish("aborted");
  }

  #finish(outcome: CopyOutcome): void {
    this.#isOver = true;
    this.#ended(this, outcome);
  }

  #close(): void {
    this.#deadline?.cancel();
    this.#watch.calls.delete(this);
  }

  #now(): MonotonicMs {
    return this.#parts.ports.clock.monotonicMs();
  }
}

const softCauseOf = (failure: AttemptFailure): EjectionCause => (failure.code === "upstream_stalled" ? "stall" : "5xx");
