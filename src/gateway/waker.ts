import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import { later, type Epoch, type MonotonicMs, type Uid } from "../base/ids.ts";
import { wakeInstance, type WakeError } from "../instances/wake-instance.ts";
import { endpointKey, type EndpointKey, type HealthIndex } from "../routing/health.ts";
import { wishToPreWake } from "../routing/pre-wake.ts";
import { wakeBudgetMs, type WakeReason, type WakeView, type WakeWish } from "../routing/wake-wish.ts";
import type { EndpointBoard } from "./endpoint-board.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import type { GatewayPorts } from "./gateway-ports.ts";
import { hearingUpstream } from "./hearing-upstream.ts";
import type { RouteStore } from "./route-store.ts";

export interface WakerParts {
  readonly ports: Pick<GatewayPorts, "clock" | "upstream" | "link" | "eventLog">;
  readonly routes: RouteStore;
  readonly board: Pick<EndpointBoard, "get" | "lastHeardAt">;
  readonly health: Pick<HealthIndex, "ejectionOf">;
  readonly metrics: GatewayMetrics;
  /** Woken and verified while their table calls them asleep: written here, read by the ladder. */
  readonly woken: Set<EndpointKey>;
  stateId(): string;
  /** false = this gateway suspects itself. */
  isTrusted(): boolean;
  /** A wake of the service ended, well or not: whoever waits asks again. */
  ended(tableUid: Uid, endpoint: RungEndpoint): void;
}

type WakeState = "queued" | "waking" | "awake" | "failed";

/** One wake of one instance at one generation. */
interface Wake {
  readonly endpoint: RungEndpoint;
  readonly tableUid: Uid;
  readonly cancel: AbortController;
  readonly notBefore: MonotonicMs;
  because: WakeReason;
  state: WakeState;
  until: MonotonicMs;
  endedAt: MonotonicMs;
  reason: string;
}

/** Losses of one node or zone show within a few milliseconds of each other: so long a tier lets those above it come first. */
const GATHER_MS: Readonly<Record<RouteTable["tier"], number>> = { platinum: 0, gold: 50, silver: 100 };
/** Who has heard nobody for so long when a wake fails cannot tell whose fault it was. */
const HEARD_WITHIN_MS = 1_000;
/** What somebody waits for first, what may never be needed last. */
const REASON_ORDER: Readonly<Record<WakeReason, number>> = { lost: 0, saturated: 1, suspected: 2 };
const TIER_ORDER: Readonly<Record<RouteTable["tier"], number>> = { platinum: 0, gold: 1, silver: 2 };

/**
 * Wakes sleeping instances inside the table's grants, each once per generation, over one node's link one after another,
 * and tells the control plane what came of it.
 */
export class Waker {
  readonly #parts: WakerParts;
  readonly #wakes = new Map<EndpointKey, Wake>();
  /** Moves begun under the epoch of each table. */
  readonly #moves = new Map<Uid, { readonly epoch: Epoch; count: number }>();

  /** When the last wake for a suspicion began, by table. */
  readonly #preWokenAt = new Map<Uid, MonotonicMs>();

  constructor(parts: WakerParts) {
    this.#parts = parts;
  }

  viewOf(table: RouteTable): WakeView {
    let wakingUntil: MonotonicMs | null = null;
    for (const wake of this.#wakes.values()) {
      if (wake.tableUid !== table.uid || !isRunning(wake)) continue;
      if (wakingUntil === null || wake.until > wakingUntil) wakingUntil = wake.until;
    }
    return {
      isTrusted: this.#parts.isTrusted(),
      begun: this.#wakes,
      movesLeft: table.grants.movesLeft - this.#movesOf(table).count,
      wakingUntil,
      budgetMs: wakeBudgetMs(table),
    };
  }

  /** Begins what is not begun; a loss makes an overflow's wake its own. */
  wake(table: RouteTable, wish: WakeWish): void {
    const { clock } = this.#parts.ports;
    const now = clock.monotonicMs();
    if (wish.because === "lost") this.#movesOf(table).count += 1;
    for (const endpoint of wish.endpoints) {
      const key = endpointKey(endpoint);
      if (this.#wakes.has(key)) continue;
      this.#wakes.set(key, {
        endpoint,
        tableUid: table.uid,
        cancel: new AbortController(),
        notBefore: later(now, GATHER_MS[table.tier]),
        because: wish.because,
        state: "queued",
        until: later(now, wakeBudgetMs(table)),
        endedAt: now,
        reason: "",
      });
    }
    clock.after(GATHER_MS[table.tier], () => this.#startNext());
  }

  /** One signal speaks against some that serve: wakes ahead where the second would leave nobody. */
  suspected(table: RouteTable | null, suspects: ReadonlySet<EndpointKey>): void {
    if (table === null) return;
    const { health, routes, ports } = this.#parts;
    const now = ports.clock.monotonicMs();
    // The control plane's wakes too: their tables say so.
    const others = [...routes.endpoints()].flatMap(({ endpoint }) => (endpoint.isWaking ? [endpoint] : []));
    const waking = [...others, ...[...this.#wakes.values()].filter(isRunning).map(({ endpoint }) => endpoint)];
    const busy = new Set(waking.map(linkOf));
    const wish = wishToPreWake(table, {
      health,
      woken: this.#parts.woken,
      suspects,
      wakes: this.viewOf(table),
      lastAt: this.#preWokenAt.get(table.uid) ?? null,
      isLinkBusy: (endpoint) => busy.has(linkOf(endpoint)),
      now,
    });
    if (wish === null) return;
    this.#preWokenAt.set(table.uid, now);
    this.wake(table, wish);
  }

  /** The service has nobody now: what was begun for overflow or on suspicion is needed for a loss, and goes first. */
  lost(table: RouteTable): void {
    for (const wake of this.#wakes.values()) {
      if (wake.tableUid !== table.uid || wake.because === "lost" || !isRunning(wake)) continue;
      if (wake.because === "suspected") this.#movesOf(table).count += 1;
      wake.because = "lost";
    }
  }

  /** What a table says of an instance ends what this gateway believed of it: Ready, no more asleep, or another generation. */
  tablesChanged(): void {
    for (const [key, wake] of Array.from(this.#wakes)) {
      const now = this.#endpointNow(wake);
      if (now === null || now.isReady) {
        this.#forget(key, wake);
      } else if (!now.isAsleep && !now.isWaking && wake.state !== "failed") {
        // It is put to sleep, or ends: it is the control plane's own now.
        this.#forget(key, wake);
      }
    }
    for (const known of [this.#moves, this.#preWokenAt]) {
      for (const uid of Array.from(known.keys())) if (this.#parts.routes.get(uid) === null) known.delete(uid);
    }
    this.#startNext();
  }

  /** Says again what no table has confirmed: a control plane that comes back was not there when it was said. */
  repeatReports(): void {
    for (const wake of this.#wakes.values()) if (wake.state === "awake" || wake.state === "failed") this.#report(wake);
  }

  stop(): void {
    for (const [key, wake] of Array.from(this.#wakes)) this.#forget(key, wake);
  }

  #movesOf(table: RouteTable): { count: number } {
    const known = this.#moves.get(table.uid);
    if (known !== undefined && known.epoch === table.epoch) return known;
    const fresh = { epoch: table.epoch, count: 0 };
    this.#moves.set(table.uid, fresh);
    return fresh;
  }

  /** The endpoint at the same generation as its newest table shows it; null = gone, or restarted. */
  #endpointNow(wake: Wake): RungEndpoint | null {
    const found = this.#parts.routes.endpointOf(wake.endpoint);
    return found !== null && endpointKey(found) === endpointKey(wake.endpoint) ? found : null;
  }

  #forget(key: EndpointKey, wake: Wake): void {
    this.#wakes.delete(key);
    this.#parts.woken.delete(key);
    wake.cancel.abort();
  }

  /**
   * One at a time over each node's link, since two that share it would both be late; the first in order has the link even when it is
   * not its time yet. Nobody waits for a cheaper one that runs.
   */
  #startNext(): void {
    const now = this.#parts.ports.clock.monotonicMs();
    const wakes = [...this.#wakes.values()].filter((wake) => isRunning(wake));
    for (const wake of wakes.filter(({ state }) => state === "queued").toSorted((a, b) => this.#compare(a, b))) {
      const isBehind = wakes.some(
        (other) =>
          other !== wake &&
          linkOf(other.endpoint) === linkOf(wake.endpoint) &&
          (other.state === "queued" ? this.#compare(other, wake) < 0 : this.#compare(other, wake) <= 0),
      );
      if (!isBehind && now >= wake.notBefore) this.#start(wake);
    }
  }

  #compare(a: Wake, b: Wake): number {
    if (a.because !== b.because) return REASON_ORDER[a.because] - REASON_ORDER[b.because];
    const [tableA, tableB] = [this.#parts.routes.get(a.tableUid), this.#parts.routes.get(b.tableUid)];
    if (tableA === null || tableB === null) return 0;
    return TIER_ORDER[tableA.tier] - TIER_ORDER[tableB.tier] || tableB.priority - tableA.priority;
  }

  #start(wake: Wake): void {
    const { ports, routes } = this.#parts;
    const table = routes.get(wake.tableUid);
    if (table === null || table.knownAnswer === null) return this.#end(wake, "the known answer is not recorded");
    const { endpoint } = wake;
    const budgetMs = wakeBudgetMs(table);
    wake.state = "waking";
    wake.until = later(ports.clock.monotonicMs(), budgetMs);
    this.#log(wake, "gateway.wake-begun");
    const sleeper = {
      address: endpoint.address,
      engine: endpoint.engine,
      model: { name: endpoint.upstreamModel ?? table.models[0] ?? "" },
      expected: table.knownAnswer,
    };
    const heard = (): void => {
      const watch = this.#parts.board.get(endpoint);
      if (watch !== null) watch.heardAt = ports.clock.monotonicMs();
    };
    const engine = { upstream: hearingUpstream(ports.upstream, heard), clock: ports.clock, claim: this.#parts.stateId() };
    void wakeInstance(engine, sleeper, budgetMs, wake.cancel.signal).then((result) => {
      this.#end(wake, result.ok ? null : explainWake(result.error));
    });
  }

  /** @param problem null = awake and verified. */
  #end(wake: Wake, problem: string | null): void {
    const key = endpointKey(wake.endpoint);
    if (this.#wakes.get(key) !== wake) return;
    if (problem !== null && this.#mayBeOurs()) return this.#dismiss(key, wake);
    wake.state = problem === null ? "awake" : "failed";
    wake.reason = problem ?? "";
    wake.endedAt = this.#parts.ports.clock.monotonicMs();
    if (problem === null) this.#parts.woken.add(key);
    this.#report(wake);
    const service = this.#parts.routes.get(wake.tableUid)?.service ?? "";
    this.#parts.metrics.wakes.with(service, wake.because, wake.state).add(1);
    this.#log(wake, problem === null ? "gateway.woken" : "gateway.wake-failed");
    this.#parts.ended(wake.tableUid, wake.endpoint);
    this.#startNext();
  }

  #mayBeOurs(): boolean {
    if (!this.#parts.isTrusted()) return true;
    const heardAt = this.#parts.board.lastHeardAt();
    return heardAt === null || this.#parts.ports.clock.monotonicMs() - heardAt > HEARD_WITHIN_MS;
  }

  /** As if it had not been begun: what may be this gateway's own fault is not held against the sleeper. */
  #dismiss(key: EndpointKey, wake: Wake): void {
    this.#forget(key, wake);
    const service = this.#parts.routes.get(wake.tableUid)?.service ?? "";
    this.#parts.metrics.wakes.with(service, wake.because, "dismissed").add(1);
    this.#log(wake, "gateway.wake-dismissed");
    this.#parts.ended(wake.tableUid, wake.endpoint);
    this.#startNext();
  }

  #report(wake: Wake): void {
    const table = this.#parts.routes.get(wake.tableUid);
    if (table === null) return;
    const { link, clock } = this.#parts.ports;
    const { instance, uid, generation } = wake.endpoint;
    link.send({
      type: "rung-activated",
      service: table.service,
      instance,
      uid,
      generation,
      because: wake.because,
      outcome: wake.state === "awake" ? "awake" : "failed",
      reason: wake.reason,
      ageMs: Math.max(0, clock.monotonicMs() - wake.endedAt),
    });
  }

  #log(wake: Wake, event: string): void {
    const { instance, generation } = wake.endpoint;
    const service = this.#parts.routes.get(wake.tableUid)?.service ?? "";
    this.#parts.ports.eventLog.record({
      level: wake.state === "failed" ? "warn" : "info",
      event,
      fields: { service, instance, generation, because: wake.because, reason: wake.reason },
    });
  }
}

const isRunning = ({ state }: Pick<Wake, "state">): boolean => state === "queued" || state === "waking";

/** Whose host-to-GPU link it loads over. */
const linkOf = (endpoint: RungEndpoint): string => endpoint.node ?? endpoint.uid;

const explainWake = (error: WakeError): string =>
  error.code === "CANNOT_SLEEP" ? `an engine of kind ${error.engine} cannot sleep` : error.reason;
