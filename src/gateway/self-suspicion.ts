import type { MonotonicMs } from "../base/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { HealthIndex } from "../routing/health.ts";
import { isCutOff, isSelfSuspect, PROBE_EVERY_MS, type Verdict } from "../routing/suspicion.ts";
import type { EndpointBoard, EndpointWatch } from "./endpoint-board.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";

/** Ejections for silence of the last moments still count as silent, and so long a fault that is likely ours is believed to last. */
const SILENT_MEMORY_MS = 2_000;
/** Somebody was heard so lately that more words will come unasked. */
const HEARD_JUST_NOW_MS = 50;

type Because = "cut-off" | "most-silent";

export interface Condemned {
  readonly watch: EndpointWatch;
  readonly cause: Extract<Verdict, { kind: "eject" }>["cause"];
}

export interface SelfSuspicionParts {
  readonly ports: { readonly clock: Pick<Clock, "monotonicMs">; readonly eventLog: EventLog };
  readonly board: EndpointBoard;
  readonly health: HealthIndex;
  readonly metrics: Pick<GatewayMetrics, "selfSuspicions">;
  /** Asks every engine of every table whether it is there; it may be asked for often. */
  lookAround(): void;
}

/** Is the silence that this gateway sees its own fault? Only silence can be: who refuses, resets or stands still has answered. */
export class SelfSuspicion {
  readonly #parts: SelfSuspicionParts;
  #suspected: { readonly because: Because; readonly begunAt: MonotonicMs; readonly renewedAt: MonotonicMs } | null = null;
  #askedAt: MonotonicMs | null = null;

  constructor(parts: SelfSuspicionParts) {
    this.#parts = parts;
  }

  /** true = what this gateway misses may be well: it wakes nobody. Cut off it is until it hears anybody. */
  isSuspect(): boolean {
    if (this.#suspected === null) return false;
    const { because, renewedAt } = this.#suspected;
    switch (because) {
      case "cut-off": {
        const heardAt = this.#parts.board.lastHeardAt();
        return heardAt === null || heardAt < renewedAt;
      }
      case "most-silent":
        return this.#now() - renewedAt <= SILENT_MEMORY_MS;
    }
  }

  /** Says so once a suspicion is over. Whoever was silent while we were cut off is judged anew: not all words arrive at one time. */
  tick(): void {
    if (this.#suspected === null || this.isSuspect()) return;
    const { because, begunAt } = this.#suspected;
    const now = this.#now();
    this.#suspected = null;
    if (because === "cut-off") for (const watch of this.#parts.board.all()) watch.forgetSuspicion(now);
    const fields = { because, suspectForMs: Math.round(now - begunAt) };
    this.#parts.ports.eventLog.record({ level: "info", event: "gateway.trusts-itself", fields });
  }

  /** An endpoint's second probe begins: whether anybody else is heard must be known when it ends. */
  prepare(): void {
    const heardAt = this.#parts.board.lastHeardAt();
    if (heardAt === null || this.#now() - heardAt > HEARD_JUST_NOW_MS) this.#askOthers();
  }

  /** Its first probe ended in vain, and so did most others', or nobody was heard since it was sent: the silence may be ours. */
  mayBeOurs(watch: EndpointWatch): boolean {
    return watch.unanswered > 0 && (this.#isUnwitnessed({ watch, cause: "silent" }) || this.#areMostSilent([]));
  }

  /** @returns those of the condemned of whom it may be believed. */
  believe(condemned: readonly Condemned[]): readonly Condemned[] {
    const areMost = this.#areMostSilent(condemned);
    const believed = condemned.filter((one) => !this.#isUnwitnessed(one));
    const isCut = believed.length < condemned.length;
    if (!areMost && !isCut) return condemned;
    this.#suspect(isCut ? "cut-off" : "most-silent", condemned);
    if (isCut) this.#askOthers();
    return areMost ? [] : believed;
  }

  #isUnwitnessed({ watch, cause }: Condemned): boolean {
    if (cause !== "silent" || watch.askedInVainAt === null) return false;
    const { board } = this.#parts;
    const others = board.all().filter(({ endpoint }) => endpoint.uid !== watch.endpoint.uid).length;
    return isCutOff({ askedInVainAt: watch.askedInVainAt, lastHeardAt: board.lastHeardAt(), others });
  }

  #areMostSilent(condemned: readonly Condemned[]): boolean {
    const now = this.#now();
    const silent = new Set(condemned.filter((one) => one.cause === "silent").map((one) => one.watch));
    let owing = 0;
    for (const watch of this.#parts.board.all()) {
      const ejection = this.#parts.health.ejectionOf(watch.endpoint);
      if (ejection?.cause === "silent" && now - ejection.since <= SILENT_MEMORY_MS) silent.add(watch);
      // Not condemned yet, but on the way: a fault of ours shows everywhere at nearly one time.
      if (watch.unanswered > 0 && watch.calls.size > 0) silent.add(watch);
      if (watch.calls.size > 0 || silent.has(watch)) owing += 1;
    }
    const nodes = new Set([...silent].map((watch) => watch.endpoint.node ?? watch.endpoint.uid));
    return isSelfSuspect({ silentNodes: nodes.size, silent: silent.size, owing });
  }

  #suspect(because: Because, silent: readonly Condemned[]): void {
    const now = this.#now();
    const begunAt = this.isSuspect() ? this.#suspected?.begunAt : undefined;
    this.#suspected = { because, begunAt: begunAt ?? now, renewedAt: now };
    if (begunAt !== undefined) return;
    this.#parts.metrics.selfSuspicions.with(because).add(1);
    const fields = { because, silent: silent.map(({ watch }) => watch.endpoint.instance).join(", ") };
    this.#parts.ports.eventLog.record({ level: "warn", event: "gateway.suspects-itself", fields });
  }

  #askOthers(): void {
    const now = this.#now();
    if (this.#askedAt !== null && now - this.#askedAt < PROBE_EVERY_MS) return;
    this.#askedAt = now;
    this.#parts.lookAround();
  }

  #now(): MonotonicMs {
    return this.#parts.ports.clock.monotonicMs();
  }
}
