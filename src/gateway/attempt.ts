import type { EjectionCause } from "../api/link-message.ts";
import type { RouteTable } from "../api/route-table.ts";
import { later, type MonotonicMs } from "../base/ids.ts";
import type { Call, CallEvents, CallFailure, Upstream, UpstreamRequest } from "../ports/upstream.ts";
import type { Clock } from "../ports/clock.ts";
import type { HealthIndex } from "../routing/health.ts";
import type { Choice } from "../routing/ladder.ts";
import type { AttemptFailure } from "../routing/next-attempt.ts";
import { meansDeath } from "../routing/poison.ts";
import type { PrefillBudget } from "../routing/prefill-budget.ts";
import { cutAfterMs, firstTokenCutAfterMs, firstTokenLateAfterMs, lateAfterMs } from "../routing/patience.ts";
import type { OpenAiError } from "../wire/openai-error.ts";
import { degradedComment, servedBy, STREAM_HEADERS } from "./answer.ts";
import { promptTokensOf, type ClientRequest, type RunningAttempt } from "./client-request.ts";
import type { EndpointBoard, EndpointWatch, LiveCall } from "./endpoint-board.ts";
import type { Ejector } from "./ejector.ts";
import type { Episodes } from "./episodes.ts";
import { commentOnSilence } from "./keep-alive.ts";
import type { JournalRoom } from "./journal-room.ts";
import { JournalKeeper } from "./journal-keeper.ts";
import type { PoisonWatch } from "./poison-watch.ts";
import { causeOf, failureCodeOf } from "./call-failure.ts";
import { continueRequestOf, firstRequestOf, journalFor, type GoingOn } from "./continue-stream.ts";
import { OwedAnswer } from "./owed-answer.ts";
import { ErrorRelay } from "./relay-error.ts";
import { streamRelay } from "./relay-for.ts";
import { WholeRelay } from "./relay-whole.ts";
import type { Relay, RelaySink, Tokens } from "./relay.ts";

/** An answer in one piece has no clock but this one; its engine's progress is what counts. */
const WHOLE_ANSWER_MAX_MS = 600_000;
/** After `[DONE]` the rest of the framing lets the connection be used again; longer than this it is not worth it. */
const LINGER_MS = 2_000;

export interface AttemptParts {
  readonly ports: { readonly clock: Clock; readonly upstream: Upstream };
  readonly board: EndpointBoard;
  readonly health: HealthIndex;
  readonly ejector: Ejector;
  readonly episodes: Episodes;
  readonly poison: PoisonWatch;
  readonly journals: JournalRoom;
}

/** Who started the attempt and goes on with the request. Exactly one of the first three ends it, but for `cancel`. */
export interface AttemptOwner {
  completed(request: ClientRequest): void;
  refused(request: ClientRequest, error: OpenAiError): void;
  failed(request: ClientRequest, failure: AttemptFailure): void;
  /** Of an answer that another engine began: its client reads on. */
  wentOn(request: ClientRequest): void;
  /** Its engine has read it again. */
  wasReread(request: ClientRequest): void;
  /** Somebody else could take the request, and the budget allows it. */
  canMove(request: ClientRequest): boolean;
  /** It has begun, and somebody else could go on with it. */
  canGoOn(request: ClientRequest): boolean;
  /** The engine gave the first token of the answer: before anything is told or written of it. */
  firstToken(): void;
  /** Another attempt runs for the request, and this one is a copy: it concerns no episode. */
  readonly isSpare: boolean;
}

/** They say nothing against the engine. */
const BLAMELESS: ReadonlySet<AttemptFailure["code"]> = new Set(["upstream_busy", "upstream_diverged", "upstream_drained"]);

export interface AttemptOf {
  readonly request: ClientRequest;
  readonly choice: Choice;
  readonly table: RouteTable;
  /** What is left of an answer that has begun; null = it begins here. */
  readonly rest: GoingOn | null;
  /** Its share of what the engine reads again; null = it begins here. */
  readonly rereading: ReturnType<PrefillBudget["take"]> | null;
}

/** One call to one endpoint for one request. */
export class Attempt implements CallEvents, LiveCall, RelaySink, RunningAttempt {
  readonly #parts: AttemptParts;
  readonly #owner: AttemptOwner;
  readonly #request: ClientRequest;
  readonly #choice: Choice;
  readonly #watch: EndpointWatch;
  readonly #table: RouteTable;
  readonly #rest: AttemptOf["rest"];
  #rereading: AttemptOf["rereading"];
  readonly #ahead: number;
  readonly #startedAt: MonotonicMs;
  readonly #place: { release(): void };
  #call: Call | null = null;
  #relay: Relay | null = null;
  readonly #keeper: JournalKeeper;
  #isOver = false;
  #isPaused = false;
  /** Its client was told something since the last look. */
  #hasWritten = false;
  /** This engine has made a token of it. */
  #hasToken = false;
  /** From when its next token shows a step of the engine; null = it was paused, and tokens of long ago may come. */
  #stepsSince: MonotonicMs | null;
  waitingSince: MonotonicMs;

  constructor(parts: AttemptParts, owner: AttemptOwner, of: AttemptOf) {
    this.#parts = parts;
    this.#owner = owner;
    this.#request = of.request;
    this.#choice = of.choice;
    this.#table = of.table;
    this.#keeper = new JournalKeeper(of.request, null, parts.journals);
    this.#rest = of.rest;
    this.#rereading = of.rereading;
    const now = parts.ports.clock.monotonicMs();
    this.waitingSince = now;
    this.#startedAt = now;
    this.#stepsSince = now;
    this.#ahead = parts.health.inFlight(of.choice.endpoint);
    this.#place = parts.health.enter(of.choice.endpoint, now);
    this.#watch = parts.board.watch(of.choice.endpoint, of.table, now);
    this.#watch.begin(this, now);
  }

  start(): void {
    this.#call = this.#parts.ports.upstream.call(this.#choice.endpoint.address, this.#ask(), this);
  }

  get request(): ClientRequest | null {
    return this.#isOver || this.#isAside ? null : this.#request;
  }

  get hasFirstByte(): boolean {
    return this.#hasToken;
  }

  get isExcused(): boolean {
    return this.#isPaused || this.#isOver;
  }

  get mayBeCut(): boolean {
    return this.#request.hasFirstByte || this.#owner.canMove(this.#request);
  }

  get canGoOn(): boolean {
    return !this.#isOver && this.#owner.canGoOn(this.#request);
  }

  patience(gapP99Ms: number): { lateAfterMs: number; cutAfterMs: number } {
    if (!this.#request.parsed.isStream) return { lateAfterMs: WHOLE_ANSWER_MAX_MS, cutAfterMs: WHOLE_ANSWER_MAX_MS };
    if (this.hasFirstByte) return { lateAfterMs: lateAfterMs(gapP99Ms), cutAfterMs: cutAfterMs(gapP99Ms) };
    const promptTokens = this.#rest === null ? promptTokensOf(this.#request) : this.#rest.prefix.tokens;
    return { lateAfterMs: firstTokenLateAfterMs(promptTokens, this.#ahead), cutAfterMs: firstTokenCutAfterMs(promptTokens, this.#ahead) };
  }

  head(status: number, headers: readonly string[]): void {
    this.#sawByte();
    if (this.#isOver) return;
    if (status !== 200) this.#relay = new ErrorRelay(this, status, this.#table.contextLength);
    else if (!this.#request.parsed.isStream) this.#relay = new WholeRelay(this);
    else if (isEventStream(headers)) this.#relay = this.#streamRelay();
    else this.unusable({ isHard: false, code: "upstream_malformed" });
  }

  data(lent: Uint8Array): void {
    this.#sawByte();
    if (!this.#isOver) this.#relay?.data(lent);
  }

  end(): void {
    this.#sawByte();
    this.#watch.calls.delete(this);
    if (!this.#isOver) this.#relay?.end();
  }

  failed(why: CallFailure): void {
    this.#watch.calls.delete(this);
    if (this.#isOver) return;
    this.#isOver = true;
    const cause = causeOf(why);
    if (cause !== null) {
      this.#watch.heardAt = this.#parts.ports.clock.monotonicMs();
      this.#parts.ejector.eject(this.#watch, cause);
    }
    // Not before its engine is out: what waits for this place must not be sent there.
    this.#finish();
    this.#noteLoss();
    // What never reached the engine cannot have killed it.
    if (cause !== null && why.sent !== "none") this.#noteDeath(cause);
    this.#owner.failed(this.#request, { isHard: true, code: failureCodeOf(why) });
  }

  unusable(failure: AttemptFailure): void {
    this.lose(failure);
  }

  progressed(): void {
    const now = this.#parts.ports.clock.monotonicMs();
    if (!this.#hasToken) this.#owner.firstToken();
    if (this.#hasToken && !this.#isPaused) this.#watch.gaps.add(now - this.waitingSince);
    this.#hasToken = true;
    this.#reread(true);
    this.waitingSince = now;
    this.#watch.sawToken(now);
    if (this.#stepsSince !== null) {
      // Two tokens of one chunk are no two steps.
      if (now > this.#stepsSince) this.#watch.sawStep(this.#stepsSince);
      this.#stepsSince = now;
    }
    this.#request.past.tokens += 1;
    // Of an answer that is made again its client sees nothing yet.
    if (this.#request.parsed.isStream && this.#rest === null) this.#goodToken(now);
  }

  begin(): void {
    if (!this.#hasToken) this.#owner.firstToken();
    const { exchange, id, parsed, arrivedAt, desk, attempts, degradedTo } = this.#request;
    this.#request.hasFirstByte = true;
    if (this.#rest === null) this.#keepJournal();
    const served = servedBy(id, { endpoint: this.#choice.endpoint, level: this.#choice.level, degradedTo, attempts });
    // A stream that had to wait has its head already; who serves it came too late to be named there, another model is named all the same.
    if (this.#request.hasHead && degradedTo !== null) this.wrote(degradedComment(degradedTo));
    if (!this.#request.hasHead)
      exchange.head(200, parsed.isStream ? [...STREAM_HEADERS, ...served] : ["content-type", "application/json", ...served]);
    if (!parsed.isStream) return;
    desk.sawFirstToken(this.#parts.ports.clock.monotonicMs() - arrivedAt, { isReturned: this.#request.isReturned });
  }

  wrote(given: Uint8Array): void {
    if (this.#rest !== null && this.#request.past.lostAt !== null) {
      this.#goodToken(this.#parts.ports.clock.monotonicMs());
      this.#owner.wentOn(this.#request);
    }
    this.#hasWritten = true;
    if (this.#request.exchange.write(given)) return;
    this.#request.isFull = true;
    if (this.#isPaused || this.#isOver) return;
    this.#isPaused = true;
    this.#stepsSince = null;
    this.#call?.pause();
  }

  keepAlive(now: MonotonicMs): void {
    if (!this.#isOver) commentOnSilence(this.#request, this.#hasWritten, now);
    this.#hasWritten = false;
  }

  done(tokens: Tokens): void {
    this.#finish();
    this.#parts.health.recordAnswer(this.#choice.endpoint, false);
    if (!this.#request.parsed.isStream) this.#goodToken(this.#firstTokenOfWhole(tokens));
    this.#request.desk.countTokens(tokens);
    this.#request.past.isCounted = true;
    this.#linger();
    this.#owner.completed(this.#request);
  }

  cut(tokens: Tokens): void {
    this.#call?.abort();
    this.#watch.calls.delete(this);
    this.done(tokens);
  }

  /** A wrong request says nothing about the engine, but that it answers. */
  refused(error: OpenAiError): void {
    this.#finish();
    this.#owner.refused(this.#request, error);
  }

  lose(failure: AttemptFailure): void {
    if (this.#isOver) return;
    this.#finish();
    this.#call?.abort();
    this.#watch.calls.delete(this);
    if (!failure.isHard && !BLAMELESS.has(failure.code)) this.#countFailure(failure);
    const ejection = this.#parts.health.ejectionOf(this.#choice.endpoint);
    if (failure.isHard || ejection !== null) this.#noteLoss();
    if (failure.isHard && ejection !== null) this.#noteDeath(ejection.cause);
    this.#owner.failed(this.#request, failure);
  }

  drained(): void {
    if (!this.#isPaused || this.#isOver) return;
    this.#isPaused = false;
    // The silence was ours: its clock starts anew.
    this.waitingSince = this.#parts.ports.clock.monotonicMs();
    this.#watch.sawToken(this.waitingSince);
    this.#call?.resume();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#finish();
    this.#call?.abort();
    this.#watch.calls.delete(this);
  }

  /** Another engine was faster: this call ends in this turn, and nothing is held against its engine but its silence. */
  yield(): void {
    if (this.#isOver) return;
    this.cancel();
    OwedAnswer.keep(this.#watch, this.waitingSince, this.#parts.ports.clock);
  }

  #ask(): UpstreamRequest {
    const to = { table: this.#table, endpoint: this.#choice.endpoint };
    const request = this.#request;
    if (this.#rest?.kind === "ids") return continueRequestOf(request, to, this.#rest);
    if (this.#rest === null) this.#keeper.journal = journalFor(request, to, this.#parts.journals);
    return firstRequestOf(request, to, this.#keeper);
  }

  #streamRelay(): Relay {
    const now = this.#parts.ports.clock.wallMs();
    return streamRelay(this, { request: this.#request, rest: this.#rest, keeper: this.#keeper, now });
  }

  #countFailure(failure: AttemptFailure): void {
    if (!this.#parts.health.recordAnswer(this.#choice.endpoint, true)) return;
    this.#parts.ejector.eject(this.#watch, failure.code === "upstream_stalled" ? "stall" : "5xx");
  }

  #reread(hasToken: boolean): void {
    const reading = this.#rereading;
    if (reading === null) return;
    this.#rereading = null;
    reading.end(hasToken, this.#parts.ports.clock.monotonicMs());
    this.#owner.wasReread(this.#request);
  }

  #finish(): void {
    this.#isOver = true;
    this.#reread(false);
    this.#place.release();
    if (this.#request.journal !== this.#keeper.journal) this.#keeper.journal?.close();
    if (this.#request.running === this) this.#request.running = null;
  }

  /** From now on the answer is this engine's. */
  #keepJournal(): void {
    this.#request.journal = this.#keeper.journal;
    this.#request.fingerprint = this.#choice.endpoint.fingerprint;
  }

  /** The answer's time less its decode, modelled by the endpoint's usual gap; never before it was asked for. */
  #firstTokenOfWhole(tokens: Tokens): MonotonicMs {
    const modelledAt = later(this.#parts.ports.clock.monotonicMs(), -tokens.outputTokens * this.#watch.gaps.medianMs());
    return modelledAt > this.#startedAt ? modelledAt : this.#startedAt;
  }

  /** Another model's answer is no recovery of the service, and its loss is no loss of it; nor is a copy's, while another attempt runs. */
  get #isAside(): boolean {
    return this.#request.degradedTo !== null || this.#owner.isSpare;
  }

  #goodToken(at: MonotonicMs): void {
    if (!this.#isAside) this.#parts.episodes.goodToken(this.#request, this.#choice, at);
  }

  #noteDeath(cause: EjectionCause): void {
    // A request that runs in one engine at a time kills one at a time: the death of a copy's says nothing.
    if (meansDeath(cause) && !this.#owner.isSpare)
      this.#parts.poison.died(this.#request, { watch: this.#watch, cause, startedAt: this.#startedAt });
  }

  #noteLoss(): void {
    if (this.#isAside) return;
    this.#parts.episodes.attemptFailed(this.#request, { endpoint: this.#choice.endpoint, table: this.#table, since: this.#startedAt });
  }

  /** The answer is complete, its framing perhaps not: wait a moment, so that the connection can be used again. */
  #linger(): void {
    if (!this.#watch.calls.has(this)) return;
    if (this.#isPaused) this.#call?.resume();
    this.#parts.ports.clock.after(LINGER_MS, () => {
      if (!this.#watch.calls.delete(this)) return;
      this.#call?.abort();
    });
  }

  #sawByte(): void {
    this.#watch.sawByte(this.#parts.ports.clock.monotonicMs());
  }
}

export function isEventStream(headers: readonly string[]): boolean {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() === "content-type") return /^\s*text\/event-stream\b/i.test(headers[at + 1] ?? "");
  }
  return false;
}
