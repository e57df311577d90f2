import { Concurrency } from "../admission/concurrency.ts";
import { HoldQueue, type Held } from "../admission/hold-queue.ts";
import { RetryBudget } from "../admission/retry-budget.ts";
import { SuspectBodies } from "../admission/suspect-bodies.ts";
import { FAILED_OUTCOMES, JUDGED_OUTCOMES, type JudgedOutcome } from "../api/alert-counters.ts";
import type { ServiceCounts } from "../api/link-message.ts";
import type { RouteTable } from "../api/route-table.ts";
import type { MonotonicMs, ServiceName, TenantId } from "../base/ids.ts";
import type { DeathUnderRequest } from "./engine-death.ts";
import { FirstTokenCounts } from "./first-token-counts.ts";
import { FirstTokenRing } from "./first-token-ring.ts";
import type { GatewayMetrics, Outcome } from "./gateway-metrics.ts";
import { HOLD_BYTES_MAX, HOLD_COUNT_MAX } from "./gateway-ports.ts";

/** A request that waits for an endpoint, and can be asked to try again. */
export interface HeldRequest extends Held {
  holdUntil: MonotonicMs;
  pump(): void;
  /** Tells a client that waits for long that it is not forgotten. */
  keepAlive(): void;
}

/** Held requests that are asked in vain before those behind them. */
const PASSED_OVER_MAX = 64;

/** What the gateway keeps per service across its tables: budgets, held requests, suspect bodies, counts. */
export class ServiceDesk {
  readonly service: ServiceName;
  readonly tenant: TenantId;
  readonly retryBudget = new RetryBudget();
  readonly concurrency = new Concurrency();
  readonly holds = new HoldQueue<HeldRequest>({ countMax: HOLD_COUNT_MAX, bytesMax: HOLD_BYTES_MAX });
  readonly suspectBodies = new SuspectBodies<DeathUnderRequest>();
  readonly #firstTokens = new FirstTokenRing();
  readonly #firstTokenCounts = new FirstTokenCounts();
  readonly #metrics: GatewayMetrics;
  readonly #judged: Record<JudgedOutcome, number> = { ok: 0, refused: 0, "upstream-error": 0, "stream-error": 0 };
  #requests = 0;
  readonly #returnedFirstTokens = new FirstTokenRing();
  #returned = 0;
  #returnedFailed = 0;
  #promptTokens = 0;
  #outputTokens = 0;

  constructor(of: Pick<RouteTable, "service" | "tenant">, metrics: GatewayMetrics) {
    this.service = of.service;
    this.tenant = of.tenant;
    this.#metrics = metrics;
    // A series that appears with its first failure hides that failure from a rate: so it is there, as zero, before.
    for (const outcome of JUDGED_OUTCOMES) metrics.requests.with(of.tenant, of.service, outcome);
    metrics.firstToken.with(of.tenant, of.service);
  }

  countRequest(): void {
    this.#requests += 1;
    this.retryBudget.recordRequest();
  }

  countOutcome(outcome: Outcome): void {
    if (isJudged(outcome)) this.#judged[outcome] += 1;
    this.#metrics.requests.with(this.tenant, this.service, outcome).add(1);
  }

  countTokens(tokens: { readonly promptTokens: number; readonly outputTokens: number }): void {
    this.#promptTokens += tokens.promptTokens;
    this.#outputTokens += tokens.outputTokens;
  }

  /** It is sent to hot while traffic belongs below. */
  countReturned(): void {
    this.#returned += 1;
  }

  /** It failed there, whoever answers it now. */
  countReturnedFailed(): void {
    this.#returnedFailed += 1;
  }

  /** Of a stream: from the request's head to the first token written to the client. */
  sawFirstToken(firstTokenMs: number, { isReturned }: { readonly isReturned: boolean }): void {
    this.#firstTokens.add(firstTokenMs);
    this.#firstTokenCounts.add(firstTokenMs / 1_000);
    if (isReturned) this.#returnedFirstTokens.add(firstTokenMs);
    this.#metrics.firstToken.with(this.tenant, this.service).observe(firstTokenMs / 1_000);
  }

  /**
   * Asks held requests again, the oldest first, until `countMax` of them wait no more. Some may wait for what others need not,
   * such as an engine that makes the same tokens: those behind them are asked too.
   */
  pumpHeld(countMax: number): void {
    let left = countMax;
    for (const [index, request] of this.holds.waiting().entries()) {
      if (left <= 0 || index >= countMax + PASSED_OVER_MAX) return;
      request.pump();
      if (!this.holds.has(request)) left -= 1;
    }
  }

  /** Asked once a second: first tokens are those since the last time. */
  counts(): ServiceCounts {
    return {
      service: this.service,
      requests: this.#requests,
      failed: FAILED_OUTCOMES.reduce((sum, outcome) => sum + this.#judged[outcome], 0),
      inFlight: this.concurrency.open,
      promptTokens: this.#promptTokens,
      outputTokens: this.#outputTokens,
      firstTokenP99Ms: this.#firstTokens.takeP99Ms(),
      alertCounters: { outcomes: { ...this.#judged }, firstTokens: this.#firstTokenCounts.cumulative() },
      returned: { requests: this.#returned, failed: this.#returnedFailed, firstTokenP99Ms: this.#returnedFirstTokens.takeP99Ms() },
    };
  }
}

export class ServiceDesks {
  /** Of a service whose tenant changed both: what the old one's clients wait for goes on. */
  readonly #desks = new Map<string, ServiceDesk>();
  readonly #current = new Map<ServiceName, ServiceDesk>();
  readonly #metrics: GatewayMetrics;

  constructor(metrics: GatewayMetrics) {
    this.#metrics = metrics;
  }

  of(table: Pick<RouteTable, "service" | "tenant">): ServiceDesk {
    const key = `${table.service} ${table.tenant}`;
    const desk = this.#desks.get(key) ?? new ServiceDesk(table, this.#metrics);
    this.#desks.set(key, desk);
    this.#current.set(table.service, desk);
    return desk;
  }

  /** One of each service: its tenant's of now. */
  current(): readonly ServiceDesk[] {
    return [...this.#current.values()];
  }

  all(): readonly ServiceDesk[] {
    return [...this.#desks.values()];
  }

  /** Writes the gauges; called when somebody reads them. */
  showGauges(): void {
    for (const desk of this.all()) {
      this.#metrics.inFlight.with(desk.tenant, desk.service).set(desk.concurrency.open);
      this.#metrics.held.with(desk.tenant, desk.service).set(desk.holds.count);
    }
  }
}

const isJudged = (outcome: Outcome): outcome is JudgedOutcome => JUDGED_OUTCOMES.some((judged) => judged === outcome);
