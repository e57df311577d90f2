import type { RouteTable } from "../api/route-table.ts";
import { later, type MonotonicMs } from "../base/ids.ts";
import type { CounterHandle, Metric } from "../base/metric.ts";
import { FirstTokenWaits } from "../routing/hedge.ts";
import { endpointKey, type EndpointKey } from "../routing/health.ts";
import type { Choice } from "../routing/ladder.ts";
import type { AttemptFailure, NextAttempt } from "../routing/next-attempt.ts";
import { firstTokenLateAfterMs } from "../routing/patience.ts";
import type { OpenAiError } from "../wire/openai-error.ts";
import { Attempt, type AttemptOf, type AttemptOwner, type AttemptParts } from "./attempt.ts";
import { promptTokensOf, type ClientRequest, type RunningAttempt } from "./client-request.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import type { Mirror } from "./mirror.ts";
import type { ServiceDesk } from "./service-desk.ts";

/** How a hedge ended: it gave the first token, the first attempt did, it failed, or its client went away. */
export type HedgeOutcome = "won" | "lost" | "failed" | "gone";

export interface HedgesParts extends AttemptParts {
  readonly metrics: GatewayMetrics;
  readonly mirror: Mirror;
}

/** Who carries requests, and answers what to do with one whose first token is late. */
export interface HedgeOwner extends AttemptOwner {
  late(request: ClientRequest): { readonly next: NextAttempt; readonly table: RouteTable | null };
}

/**
 * Sends a platinum request whose first token is late to a second engine too. The first content token of either decides: the other call is
 * ended in the same turn, and nothing is held against its engine. Until then the second is no more than a copy: it concerns no episode.
 */
export class Hedges {
  readonly #parts: HedgesParts;
  readonly #owner: HedgeOwner;
  readonly #waits = new WeakMap<ServiceDesk, FirstTokenWaits>();
  /** Those that have no first token and no hedge yet. */
  readonly #waiting = new Set<Race>();
  readonly #ends: Metric<CounterHandle>;

  constructor(parts: HedgesParts, owner: HedgeOwner) {
    this.#parts = parts;
    this.#owner = owner;
    this.#ends = parts.metrics.registry.counter(
      "tidegate_hedges_total",
      "Second calls for requests whose first token was late: won = it gave the first token, lost = the first call did, failed, or gone with its client.",
      ["service", "outcome"],
    );
  }

  /** Starts a request's attempt. */
  start(request: ClientRequest, of: Omit<AttemptOf, "request">, because: "first" | "reroute" | "retry"): void {
    const race = because === "first" && isHedged(request, of.table) ? this.#race(request, of.choice) : null;
    const attempt = new Attempt(this.#parts, race?.first ?? this.#owner, { request, ...of });
    request.running = attempt;
    if (race !== null) race.first.attempt = attempt;
    attempt.start();
  }

  /** Asks for those whose first token is late, each once. */
  tick(): void {
    if (this.#waiting.size === 0) return;
    const now = this.#now();
    for (const race of Array.from(this.#waiting)) {
      if (!race.isWaiting) this.#waiting.delete(race);
      else if (now >= race.dueAt) {
        this.#waiting.delete(race);
        this.#late(race);
      }
    }
  }

  #race(request: ClientRequest, choice: Choice): Race {
    const waits = this.#waits.get(request.desk) ?? new FirstTokenWaits();
    this.#waits.set(request.desk, waits);
    const promptTokens = promptTokensOf(request);
    const dueAt = later(this.#now(), waits.hedgeAfterMs(promptTokens) ?? firstTokenLateAfterMs(promptTokens, 0));
    const race = new Race(
      request,
      { dueAt, owner: this.#owner, key: endpointKey(choice.endpoint) },
      {
        firstToken: () => waits.add(this.#now() - request.sentAt, promptTokens),
        ended: (outcome) => this.#ends.with(request.desk.service, outcome).add(1),
      },
    );
    this.#waiting.add(race);
    return race;
  }

  #late(race: Race): void {
    const { request } = race;
    const { next, table } = this.#owner.late(request);
    const { metrics, mirror } = this.#parts;
    if (next.kind === "stay" && next.why === "budget") metrics.limitHits.with("hedges").add(1);
    if (next.kind !== "hedge" || table === null || !request.desk.retryBudget.take()) return;
    const { choice } = next;
    request.attempts += 1;
    request.tried = [...request.tried, endpointKey(choice.endpoint)];
    metrics.attempts.with(request.desk.service, choice.level, "hedge").add(1);
    mirror.yieldTo(choice.endpoint);
    race.begin(this.#parts, { choice, table });
  }

  #now(): MonotonicMs {
    return this.#parts.ports.clock.monotonicMs();
  }
}

/** Streams alone: of an answer in one piece nobody knows what is late. What may kill engines runs in one at a time. */
const isHedged = ({ parsed, degradedTo, hasFirstByte, suspectBody, deaths }: ClientRequest, { tier }: RouteTable): boolean =>
  tier === "platinum" && parsed.isStream && degradedTo === null && !hasFirstByte && suspectBody === null && deaths.length === 0;

interface RaceEvents {
  firstToken(): void;
  ended(outcome: HedgeOutcome): void;
}

/** One request, and the one or two attempts that run for it before its first token. */
class Race implements RunningAttempt {
  readonly request: ClientRequest;
  readonly dueAt: MonotonicMs;
  readonly owner: AttemptOwner;
  readonly first: Lane;
  readonly #events: RaceEvents;
  /** Of a hedge that is not decided yet. */
  #second: Lane | null = null;

  constructor(
    request: ClientRequest,
    of: { readonly dueAt: MonotonicMs; readonly owner: AttemptOwner; readonly key: EndpointKey },
    events: RaceEvents,
  ) {
    this.request = request;
    this.dueAt = of.dueAt;
    this.owner = of.owner;
    this.first = new Lane(this, of.key);
    this.#events = events;
  }

  /** Its first attempt runs, alone and without a first token. */
  get isWaiting(): boolean {
    const { attempt } = this.first;
    return attempt !== null && !attempt.hasFirstByte && this.request.running === attempt;
  }

  begin(parts: AttemptParts, { choice, table }: { readonly choice: Choice; readonly table: RouteTable }): void {
    const second = new Lane(this, endpointKey(choice.endpoint));
    this.#second = second;
    this.request.running = this;
    second.attempt = new Attempt(parts, second, { request: this.request, choice, table, rest: null, rereading: null });
    second.attempt.start();
  }

  /** While the first attempt runs the second is a copy. */
  isSpare(lane: Lane): boolean {
    return this.#second === lane && this.first.attempt !== null;
  }

  /** The first content token of all. */
  sawFirstToken(lane: Lane): void {
    this.#events.firstToken();
    this.decide(lane);
  }

  /** It has the answer; what else runs for the request ends in this turn, and has not failed: if the winner dies, it may go on. */
  decide(winner: Lane): void {
    const second = this.#second;
    if (second === null) return;
    this.#second = null;
    this.#events.ended(winner === second ? "won" : "lost");
    this.request.running = winner.attempt;
    const loser = winner === second ? this.first : second;
    if (loser.attempt === null) return;
    loser.attempt.yield();
    loser.attempt = null;
    this.request.tried = this.request.tried.filter((key) => key !== loser.key);
    if (winner === second) this.request.isReturned = false;
  }

  /** @returns true when another attempt of the request goes on. */
  failed(lane: Lane): boolean {
    const second = this.#second;
    lane.attempt = null;
    if (second === null) return false;
    if (lane === second) {
      this.#events.ended("failed");
      this.#second = null;
      this.request.running = this.first.attempt;
      return this.first.attempt !== null;
    }
    if (this.request.isReturned) this.request.desk.countReturnedFailed();
    this.request.isReturned = false;
    return true;
  }

  drained(): void {
    // Nothing of an answer is written yet, so nothing waits for room.
  }

  cancel(): void {
    this.#events.ended("gone");
    this.first.attempt?.cancel();
    this.#second?.attempt?.cancel();
    this.#second = null;
  }
}

/** What one attempt of a race tells, told to whoever carries the request when it is the request's affair. */
class Lane implements AttemptOwner {
  readonly key: EndpointKey;
  readonly #race: Race;
  /** null = not begun, or over. */
  attempt: Attempt | null = null;

  constructor(race: Race, key: EndpointKey) {
    this.#race = race;
    this.key = key;
  }

  get isSpare(): boolean {
    return this.#race.isSpare(this);
  }

  firstToken(): void {
    this.#race.sawFirstToken(this);
  }

  completed(request: ClientRequest): void {
    this.#race.owner.completed(request);
  }

  /** The word of a copy is not the request's: its first attempt says its own. */
  refused(request: ClientRequest, error: OpenAiError): void {
    if (this.isSpare) return void this.#race.failed(this);
    this.#race.decide(this);
    request.running = null;
    this.#race.owner.refused(request, error);
  }

  failed(request: ClientRequest, failure: AttemptFailure): void {
    if (!this.#race.failed(this)) this.#race.owner.failed(request, failure);
  }

  wentOn(request: ClientRequest): void {
    this.#race.owner.wentOn(request);
  }

  wasReread(request: ClientRequest): void {
    this.#race.owner.wasReread(request);
  }

  canMove(request: ClientRequest): boolean {
    return this.#race.owner.canMove(request);
  }

  canGoOn(request: ClientRequest): boolean {
    return this.#race.owner.canGoOn(request);
  }
}
