import type { Level } from "../api/hot-standby-config.ts";
import type { EjectionCause, Episode } from "../api/link-message.ts";
import type { RouteTable } from "../api/route-table.ts";
import type { InstanceName, MonotonicMs } from "../base/ids.ts";
import type { EndpointKey } from "../routing/health.ts";

/** How an endpoint was lost, and when. */
export interface Loss {
  readonly instance: InstanceName;
  readonly cause: EjectionCause;
  /** Its last good sign of life where it fell silent; else the moment at which the loss showed. */
  readonly faultAt: MonotonicMs;
  readonly detectedAt: MonotonicMs;
}

/** A good token of an affected request, or what stands for it. */
export interface GoodToken {
  readonly at: MonotonicMs;
  readonly level: Level;
  /** Since when the instance that gave it could be used. */
  readonly usableSince: MonotonicMs;
}

/** One loss and those whom it concerns, on this gateway's clock. Mutable; owned by `Episodes`. */
export class OpenEpisode {
  readonly service: RouteTable["service"];
  readonly number: number;
  readonly loss: Loss;
  readonly beganAt: MonotonicMs;
  /** Endpoints whose loss it is: more than one where they go down together. */
  readonly lostKeys = new Set<EndpointKey>();
  readonly #table: Pick<RouteTable, "uid" | "epoch">;
  readonly #from: Level;
  #first: GoodToken | null = null;
  #affected = 0;
  #lost = 0;
  #unsettled = 0;
  #rtoMs: number | null = null;
  #settledAt: MonotonicMs;
  isOver = false;
  isChanged = true;
  reportedAt: MonotonicMs | null = null;

  constructor(of: {
    readonly table: Pick<RouteTable, "uid" | "epoch" | "service">;
    readonly number: number;
    readonly loss: Loss;
    readonly from: Level;
    readonly beganAt: MonotonicMs;
  }) {
    this.#table = of.table;
    this.service = of.table.service;
    this.number = of.number;
    this.loss = of.loss;
    this.#from = of.from;
    this.beganAt = of.beganAt;
    this.#settledAt = of.beganAt;
  }

  /** Nobody was hurt, and nobody was told: not worth a word. */
  get isEmpty(): boolean {
    return this.#affected === 0 && this.reportedAt === null;
  }

  get hasFirstToken(): boolean {
    return this.#first !== null;
  }

  enter(): void {
    this.#affected += 1;
    this.#unsettled += 1;
    this.isChanged = true;
  }

  /** It was in flight on the lost endpoint, which answers it all the same. */
  withdraw(at: MonotonicMs): void {
    this.#affected -= 1;
    this.#settle(at);
  }

  recover(token: GoodToken, sinceAt: MonotonicMs): void {
    this.#first ??= token;
    this.#wait(token.at - sinceAt);
    this.#settle(token.at);
  }

  /** It was told that it failed. `waitMs` = until then, where an answer that had begun ended; null = it has no wait that says something. */
  endTold(waitMs: number | null, at: MonotonicMs): void {
    if (waitMs !== null) this.#wait(waitMs);
    this.#settle(at);
  }

  /** Neither an answer nor a word. */
  endLost(at: MonotonicMs): void {
    this.#lost += 1;
    this.#settle(at);
  }

  /** Its time is over: whoever still waits has waited at least until now. */
  expire(sinceAt: MonotonicMs, now: MonotonicMs): void {
    this.#wait(now - sinceAt);
    this.#settle(now);
  }

  report(now: MonotonicMs): Episode {
    const { cause, faultAt, detectedAt, instance } = this.loss;
    const ageOf = (at: MonotonicMs): number => Math.max(0, now - at);
    const first = this.#first;
    return {
      type: "episode",
      service: this.service,
      uid: this.#table.uid,
      epoch: this.#table.epoch,
      number: this.number,
      instance,
      cause,
      from: this.#from,
      to: first?.level ?? null,
      faultAgeMs: ageOf(faultAt),
      detectedAgeMs: ageOf(detectedAt),
      targetReadyAgeMs: first === null ? null : Math.min(ageOf(faultAt), ageOf(first.usableSince)),
      firstGoodTokenAgeMs: first === null ? null : ageOf(first.at),
      endedAgeMs: this.isOver ? ageOf(this.#settledAt) : null,
      affected: this.#affected,
      lost: this.#lost,
      rtoMs: this.#rtoMs,
      isOver: this.isOver,
    };
  }

  #wait(waitMs: number): void {
    this.#rtoMs = Math.max(this.#rtoMs ?? 0, waitMs);
  }

  #settle(at: MonotonicMs): void {
    this.#unsettled -= 1;
    this.#settledAt = at;
    this.isChanged = true;
    this.isOver = this.#unsettled === 0;
  }
}
