import type { RouteTable } from "../api/route-table.ts";
import { later, type MonotonicMs } from "../base/ids.ts";
import type { EventLog } from "../ports/event-log.ts";
import { endpointKey, type EndpointKey, type HealthIndex } from "../routing/health.ts";
import { isReturned, roomOf, type Choice } from "../routing/ladder.ts";
import { isBounded, nextAttempt, type AttemptFailure, type NextAttempt } from "../routing/next-attempt.ts";
import { PrefillBudget } from "../routing/prefill-budget.ts";
import type { SmoothWeighted } from "../routing/smooth-weighted.ts";
import { wishToWake } from "../routing/wake-wish.ts";
import type { OpenAiError } from "../wire/openai-error.ts";
import { answerError } from "./answer.ts";
import type { AttemptParts } from "./attempt.ts";
import { promptTokensOf, type ClientRequest, type RunningAttempt } from "./client-request.ts";
import { closingFrames, restOf } from "./continue-stream.ts";
import { degradedModels } from "./degraded-models.ts";
import { explainLoss, explainRefusal } from "./explain.ts";
import type { GatewayMetrics, Outcome } from "./gateway-metrics.ts";
import { canGoOn, canMove, refusalOf, restFor } from "./goes-elsewhere.ts";
import { Hedges, type HedgeOwner } from "./hedges.ts";
import { holdMsOf } from "./hold-time.ts";
import { commentOnWait } from "./keep-alive.ts";
import type { Mirror } from "./mirror.ts";
import type { RouteStore } from "./route-store.ts";
import type { HeldRequest, ServiceDesk, ServiceDesks } from "./service-desk.ts";
import { streamErrorEvent } from "./stream-error.ts";
import { StreamMoves } from "./stream-moves.ts";
import type { Waker } from "./waker.ts";

export interface PumpParts extends AttemptParts {
  readonly ports: AttemptParts["ports"] & { readonly eventLog: EventLog };
  readonly routes: RouteStore;
  readonly desks: ServiceDesks;
  readonly health: HealthIndex;
  readonly weights: SmoothWeighted;
  readonly metrics: GatewayMetrics;
  readonly mirror: Mirror;
  readonly waker: Waker;
  readonly woken: ReadonlySet<EndpointKey>;
}

/**
 * Carries each request from admission to its end. Arrival, a failed attempt, a new table, a returned endpoint and an expired
 * wait only say "pump"; `nextAttempt` alone decides.
 */
export class Pump implements HedgeOwner {
  readonly #parts: PumpParts;
  readonly #moves: StreamMoves;
  readonly #hedges: Hedges;
  readonly #prefill = new PrefillBudget();
  readonly #open = new Set<ClientRequest>();
  #isPumpingHeld = false;

  constructor(parts: PumpParts) {
    this.#parts = parts;
    this.#moves = new StreamMoves(parts.metrics.registry);
    this.#hedges = new Hedges(parts, this);
  }

  readonly isSpare = false;

  tick(): void {
    this.#hedges.tick();
  }

  begin(request: ClientRequest): void {
    request.desk.countRequest();
    this.#open.add(request);
    const table = this.#parts.routes.find(request.tenant, request.model);
    request.holdUntil = later(this.#now(), table === null ? 0 : holdMsOf(table));
    this.#parts.poison.admit(request);
    this.pump(request);
  }

  pump(request: ClientRequest): void {
    if (request.isSettled || request.running !== null) return;
    const table = this.#parts.routes.find(request.tenant, request.model);
    const next = this.#decide(request, table);
    if (table !== null) this.#wake(table, next);
    if (next.kind !== "hold") this.#endHold(request);
    switch (next.kind) {
      case "send":
        if (table !== null) this.#send(request, { ...next, table, degradedTo: null });
        return;
      case "degrade":
        this.#parts.metrics.degraded.with(request.desk.service, next.by.table.service).add(1);
        this.#send(request, { ...next, table: next.by.table, degradedTo: next.by.model });
        return;
      case "hold":
        this.#hold(request, next.until);
        return;
      case "refuse":
        if (next.code === "shed") this.#parts.metrics.sheds.with(request.desk.service).add(1);
        this.#refuse(request, explainRefusal(next.code, request.model, next.retryAfterMs), outcomeOf(request));
        return;
      case "fail-stream":
        this.#failStream(request, lossOf(next.code));
        return;
      case "hedge":
      case "stay":
        // Asked only while it runs: by `late`.
        return;
    }
  }

  /** Its first token is late: what `nextAttempt` says to that. */
  late(request: ClientRequest): { readonly next: NextAttempt; readonly table: RouteTable | null } {
    const table = this.#parts.routes.find(request.tenant, request.model);
    request.isLate = true;
    return { next: this.#decide(request, table), table };
  }

  firstToken(): void {
    // Who carries a request has no clock of its first token.
  }

  /** Something changed: asks the oldest held requests again, as many as there is room for, or all of them where nobody serves. */
  pumpHeld(desk: ServiceDesk): void {
    if (desk.holds.count > 0) this.#ask(desk, this.#roomOf(desk) ?? Infinity);
  }

  /** Asks the oldest held requests that somebody has room for. */
  fillRoom(desk: ServiceDesk): void {
    if (desk.holds.count > 0) this.#ask(desk, this.#roomOf(desk) ?? 0);
  }

  completed(request: ClientRequest): void {
    request.exchange.end();
    this.#settle(request, request.degradedTo === null ? "ok" : "degraded");
  }

  refused(request: ClientRequest, error: OpenAiError): void {
    // Its client has the beginning of a good answer: that this engine takes no rest of it is the engine's word, not its client's fault.
    if (request.hasFirstByte) return this.failed(request, { isHard: false, code: "upstream_rejected" });
    if (request.degradedTo !== null) {
      // The other model's word, such as on a shorter context: its own model might have taken it.
      request.canDegrade = false;
      return this.pump(request);
    }
    this.#refuse(request, error, "client-error");
  }

  failed(request: ClientRequest, failure: AttemptFailure): void {
    request.failure = failure;
    if (request.hasFirstByte && this.#endOrKeep(request)) return;
    if (request.isReturned) request.desk.countReturnedFailed();
    // Its wait went on standing still while it ran.
    request.holdUntil = later(request.holdUntil, this.#now() - request.sentAt);
    const isSuspect = this.#parts.poison.suspects(request, () => {
      if (request.running === AWAITS_VERDICT) request.running = null;
      this.pump(request);
    });
    if (isSuspect && (!request.hasFirstByte || request.prefix !== null)) request.running = AWAITS_VERDICT;
    this.pump(request);
  }

  /** Of an answer that has begun: what can go on is kept for it. @returns true when it was complete but for its framing, and is ended. */
  #endOrKeep(request: ClientRequest): boolean {
    const table = this.#parts.routes.find(request.tenant, request.model);
    this.#moves.lost(request, this.#now());
    const rest = table === null || request.failure?.code === "upstream_diverged" ? null : restOf(request, table);
    request.past.refusal = refusalOf(request, rest);
    request.prefix = rest?.kind === "ids" || rest?.kind === "restart" ? rest.prefix : null;
    if (rest?.kind !== "framing") return false;
    for (const frame of closingFrames(request)) request.exchange.write(frame);
    this.completed(request);
    return true;
  }

  /** An endpoint of the service is out: where nobody is left, who sleeps is woken before a request asks for it. */
  endpointLost(table: RouteTable): void {
    if (roomOf(table, this.#parts) !== null) return;
    const { waker } = this.#parts;
    const wish = wishToWake(table, waker.viewOf(table), "lost");
    if (wish === null) waker.lost(table);
    else waker.wake(table, wish);
  }

  /** The gateway ends, and what is open cannot: each client is told so, in the form of what it has. */
  giveUpAll(error: OpenAiError): void {
    for (const request of Array.from(this.#open)) {
      request.running?.cancel();
      this.#endHold(request);
      if (request.hasFirstByte) this.#failStream(request, error);
      else this.#refuse(request, error, outcomeOf(request));
    }
  }

  /** The client went away: whatever runs for it stops in this turn. */
  gone(request: ClientRequest): void {
    if (request.isSettled) return;
    request.running?.cancel();
    this.#endHold(request);
    this.#settle(request, "client-gone");
  }

  wentOn(request: ClientRequest): void {
    this.#moves.wentOn(request, this.#now());
  }

  /** Its prompt is read again: the next one may be. */
  wasReread(request: ClientRequest): void {
    this.fillRoom(request.desk);
  }

  canMove(request: ClientRequest): boolean {
    return canMove(request, this.#parts.routes.find(request.tenant, request.model), this.#parts);
  }

  canGoOn(request: ClientRequest): boolean {
    const { health, woken, routes } = this.#parts;
    return canGoOn(request, routes.find(request.tenant, request.model), { health, woken, prefill: this.#prefill });
  }

  #decide(request: ClientRequest, table: RouteTable | null): NextAttempt {
    const { desk } = request;
    const { health, weights, woken, waker } = this.#parts;
    return nextAttempt(request, table, {
      health,
      weights,
      woken,
      wakes: table === null ? NO_WAKES : waker.viewOf(table),
      degraded: table === null ? [] : degradedModels(request, table, this.#parts),
      prefill: this.#prefill,
      budgets: {
        canRetry: desk.retryBudget.canRetry(),
        canHedge: desk.retryBudget.canHedge(),
        canHold: request.held !== null || desk.holds.hasRoomFor(this.#heldOf(request, request.holdUntil)),
        isQueueAhead: request.held === null && desk.holds.count > 0,
      },
      now: this.#now(),
    });
  }

  #send(request: ClientRequest, next: Dispatch): void {
    const { table, choice, degradedTo } = next;
    const rest = restFor(request, table);
    if (rest === null && request.hasFirstByte) {
      // What was kept fits no more: the table has changed while it waited.
      request.past.refusal = refusalOf(request, restOf(request, table));
      return this.#failStream(request, lossOf(request.failure?.code ?? "upstream_lost"));
    }
    if (next.because === "retry") request.desk.retryBudget.take();
    if (next.because === "reroute" && isBounded(request.failure)) request.reroutes += 1;
    request.attempts += 1;
    request.degradedTo = degradedTo;
    request.sentAt = this.#now();
    request.isReturned = isReturned(table, next.choice);
    if (request.isReturned) request.desk.countReturned();
    // While it runs it is tried; a later question must not send the request back to it first.
    request.tried = [...request.tried, endpointKey(choice.endpoint)];
    const level = degradedTo === null ? choice.level : "degraded";
    this.#parts.metrics.attempts.with(request.desk.service, level, next.because).add(1);
    this.#parts.mirror.yieldTo(choice.endpoint);
    if (rest !== null) this.#moves.begun(request, rest.kind);
    const rereading = rest === null ? null : this.#prefill.take(choice.endpoint, rest.prefix.tokens, this.#now());
    this.#hedges.start(request, { choice, table, rest, rereading }, next.because);
    // What may kill an engine, and what is not the table's own, is not copied to its standby.
    const isCopied = next.because === "first" && degradedTo === null && request.suspectBody === null;
    if (isCopied) this.#parts.mirror.copy(request, table, choice);
  }

  #roomOf(desk: ServiceDesk): number | null {
    const table = this.#parts.routes.ofService(desk.service);
    return table === null ? null : roomOf(table, this.#parts);
  }

  #ask(desk: ServiceDesk, countMax: number): void {
    if (this.#isPumpingHeld) return;
    this.#isPumpingHeld = true;
    try {
      desk.pumpHeld(countMax);
    } finally {
      this.#isPumpingHeld = false;
    }
  }

  #wake(table: RouteTable, next: NextAttempt): void {
    if (!("wake" in next)) return;
    if (next.wake !== null) this.#parts.waker.wake(table, next.wake);
    else if (next.kind === "hold" && roomOf(table, this.#parts) === null) this.#parts.waker.lost(table);
  }

  #hold(request: ClientRequest, until: MonotonicMs): void {
    if (request.held !== null) {
      request.held.holdUntil = until;
      return;
    }
    request.held = this.#heldOf(request, until);
    request.desk.holds.add(request.held);
    const table = this.#parts.routes.find(request.tenant, request.model);
    if (table !== null) this.#parts.episodes.held(request, table);
  }

  #heldOf(request: ClientRequest, holdUntil: MonotonicMs): HeldRequest {
    return { bodyBytes: request.body.length, holdUntil, pump: () => this.pump(request), keepAlive: () => this.#keepAlive(request) };
  }

  #keepAlive(request: ClientRequest): void {
    if (request.held !== null) commentOnWait(request, this.#now());
  }

  #endHold(request: ClientRequest): void {
    if (request.held === null) return;
    request.desk.holds.remove(request.held);
    request.held = null;
  }

  #refuse(request: ClientRequest, error: OpenAiError, outcome: Outcome): void {
    if (request.hasHead) {
      // The HTTP status is gone: the stream itself says it, and ends without `[DONE]`.
      request.exchange.write(streamErrorEvent(request, error));
      request.exchange.end();
    } else {
      answerError(request.exchange, request.id, error);
    }
    if (outcome !== "client-error") this.#record(request, error.code);
    this.#settle(request, outcome);
  }

  /** The answer has begun and cannot go on: it says so, and ends without `[DONE]`. */
  #failStream(request: ClientRequest, error: Pick<OpenAiError, "type" | "code" | "message">): void {
    if (request.parsed.isStream) {
      request.exchange.write(streamErrorEvent(request, error));
      request.exchange.end();
    } else {
      request.exchange.abort();
    }
    this.#record(request, error.code);
    this.#settle(request, "stream-error");
  }

  #record(request: ClientRequest, code: string): void {
    this.#parts.ports.eventLog.record({
      level: "warn",
      event: "gateway.request-failed",
      fields: {
        request: request.id,
        service: request.desk.service,
        code,
        attempts: request.attempts,
        hasFirstByte: request.hasFirstByte,
        cannotGoOn: request.past.refusal,
        ageMs: Math.round(this.#now() - request.arrivedAt),
      },
    });
  }

  #settle(request: ClientRequest, outcome: Outcome): void {
    request.isSettled = true;
    this.#open.delete(request);
    this.#parts.episodes.settled(request, outcome);
    this.#parts.poison.settled(request, outcome);
    this.#moves.settled(request, outcome);
    request.slot.release();
    request.journal?.close();
    countUntold(request);
    request.desk.countOutcome(outcome);
    this.fillRoom(request.desk);
  }

  #now(): MonotonicMs {
    return this.#parts.ports.clock.monotonicMs();
  }
}

/** Where a request goes; `table` names the endpoint, and is another service's where `degradedTo` is its model. */
interface Dispatch {
  readonly table: RouteTable;
  readonly choice: Choice;
  readonly degradedTo: string | null;
  readonly because: "first" | "reroute" | "retry";
}

/** An answer that was cut was read and made all the same: nobody tells how much, so what came is counted. */
function countUntold(request: ClientRequest): void {
  const { past, desk } = request;
  if (past.isCounted || past.tokens === 0) return;
  desk.countTokens({ promptTokens: Math.ceil(promptTokensOf(request)), outputTokens: past.tokens });
}

const lossOf = (code: AttemptFailure["code"]) => ({ type: "server_error", code, message: explainLoss(code) }) as const;

/** Stands for the attempt of a request that waits to hear whether it killed its engine. There is nothing to end. */
const AWAITS_VERDICT: RunningAttempt = { drained: () => {}, cancel: () => {} };

/** Of a request that is refused. What was lost on engines counts as failed; what is quarantined unseen was not lost. */
function outcomeOf({ failure, isQuarantined }: ClientRequest): Outcome {
  if (failure !== null) return "upstream-error";
  return isQuarantined ? "quarantined" : "refused";
}

const NO_WAKES = { isTrusted: false, begun: new Set<EndpointKey>(), movesLeft: 0, wakingUntil: null, budgetMs: 0 } as const;
