import type { EjectionCause } from "../api/link-message.ts";
import type { RungEndpoint } from "../api/route-table.ts";
import { later, monotonicMs, type MonotonicMs } from "../base/ids.ts";
import { isSoft, mayEjectSoftly } from "./ejection-limit.ts";
import { DOUBTED_RATIO, slowStartRatio } from "./slow-start.ts";

/** One instance at one generation: a restarted engine is another endpoint. */
export type EndpointKey = `${string}/${number}`;
export type EndpointIdentity = Pick<RungEndpoint, "uid" | "generation">;
export const endpointKey = (endpoint: EndpointIdentity): EndpointKey => `${endpoint.uid}/${endpoint.generation}`;

export interface Ejection {
  readonly cause: EjectionCause;
  readonly since: MonotonicMs;
  /** Before this it is not even asked whether it is well again. */
  readonly until: MonotonicMs;
}

// Short, because an ejection ends only by a good probe, and a restarted engine has a new generation anyway.
export const EJECTION_BASE_MS = 1_000;
export const EJECTION_MAX_MS = 30_000;
/** A healthy time of this length takes back one step of the growth. */
export const EJECTION_DECAY_MS = 10_000;
const FAILURES_IN_A_ROW_MAX = 3;
const FAILURE_RATIO_MAX = 0.5;
const FAILURE_SAMPLES_MIN = 5;
const FAILURE_RATIO_GAIN = 0.25;
/** So many good answers end a doubt, as many as bad ones begin it. */
const GOOD_IN_A_ROW_MIN = 3;

/** A queue that an engine told of is believed so long. */
const QUEUE_REPORT_MS = 1_000;

interface HealthRecord {
  inFlight: number;
  /** Sequences that the engine decodes together; more in flight queue inside it. */
  maxBatch: number;
  /** Since when more are in flight than it decodes together; null = they are not. */
  queuedSince: MonotonicMs | null;
  /** The queue that its own metrics told of, begun and last seen. */
  reported: { readonly since: MonotonicMs; readonly seenAt: MonotonicMs } | null;
  /** Ejections without a healthy time between them. */
  streak: number;
  restoredAt: MonotonicMs;
  failuresInARow: number;
  goodInARow: number;
  failureRatio: number;
  samples: number;
  /** It answers badly, and stays in because too many are out. */
  isDoubted: boolean;
  /** When it came beside others that were there before; null = it has been there as long as its table. */
  returnedAt: MonotonicMs | null;
}

/**
 * What the gateway knows of each endpoint: in flight, failures, ejection.
 * Mutable and indexed by (uid, generation); time arrives with each call.
 */
export class HealthIndex {
  readonly #records = new Map<EndpointKey, HealthRecord>();
  /** Of those that are out: mostly none, and asked for at every choice and tick. */
  readonly #ejections = new Map<EndpointKey, Ejection>();
  /** Of those that take less than their weight: mostly none too. */
  readonly #partial = new Set<EndpointKey>();

  inFlight(endpoint: EndpointIdentity): number {
    return this.#records.get(endpointKey(endpoint))?.inFlight ?? 0;
  }

  ejectionOf(endpoint: EndpointIdentity): Ejection | null {
    return this.#ejections.size === 0 ? null : (this.#ejections.get(endpointKey(endpoint)) ?? null);
  }

  /** Out, but only because it answers badly: it may serve where nobody else can. */
  isAiling(endpoint: EndpointIdentity): boolean {
    const ejection = this.ejectionOf(endpoint);
    return ejection !== null && isSoft(ejection.cause);
  }

  /** It would be out for bad answers, were not half of its pool out already: it stays in, for a small share. */
  isDoubted(endpoint: EndpointIdentity): boolean {
    return this.#partial.size > 0 && this.#records.get(endpointKey(endpoint))?.isDoubted === true;
  }

  /** 0..1: the part of its weight that it takes now, beside its neighbours. */
  shareOf(endpoint: EndpointIdentity, now: MonotonicMs): number {
    if (this.#partial.size === 0) return 1;
    const key = endpointKey(endpoint);
    const record = this.#records.get(key);
    if (record === undefined || !this.#partial.has(key)) return 1;
    const share = slowStartRatio(record.returnedAt, now) * (record.isDoubted ? DOUBTED_RATIO : 1);
    if (share === 1) this.#partial.delete(key);
    return share;
  }

  /** It may serve from now on, and could not before. */
  cameIn(endpoint: EndpointIdentity, now: MonotonicMs): void {
    this.#record(endpoint).returnedAt = now;
    this.#partial.add(endpointKey(endpoint));
  }

  /** How long requests have queued inside the engine: more in flight than it decodes together, or its own word. */
  queuedForMs(endpoint: EndpointIdentity, now: MonotonicMs): number {
    const record = this.#records.get(endpointKey(endpoint));
    if (record === undefined) return 0;
    const ownMs = record.queuedSince === null ? 0 : now - record.queuedSince;
    const { reported } = record;
    return reported !== null && now - reported.seenAt <= QUEUE_REPORT_MS ? Math.max(ownMs, now - reported.since) : ownMs;
  }

  /** The engine's metrics told how many requests wait inside it. */
  sawQueue(endpoint: EndpointIdentity, waiting: number, now: MonotonicMs): void {
    const record = this.#record(endpoint);
    const { reported } = record;
    const goesOn = reported !== null && now - reported.seenAt <= QUEUE_REPORT_MS;
    record.reported = waiting === 0 ? null : { since: goesOn ? reported.since : now, seenAt: now };
  }

  /** @returns a handle; the request leaves by `release`, once. */
  enter(endpoint: EndpointIdentity & Pick<RungEndpoint, "maxBatch">, now: MonotonicMs): { release(): void } {
    const record = this.#record(endpoint);
    record.inFlight += 1;
    record.maxBatch = endpoint.maxBatch;
    if (record.inFlight > record.maxBatch) record.queuedSince ??= now;
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        record.inFlight -= 1;
        if (record.inFlight <= record.maxBatch) record.queuedSince = null;
      },
    };
  }

  /** Counts one answer. @returns true = failures are now so many that the endpoint should be ejected. */
  recordAnswer(endpoint: EndpointIdentity, isFailure: boolean): boolean {
    const record = this.#record(endpoint);
    record.samples += 1;
    record.failuresInARow = isFailure ? record.failuresInARow + 1 : 0;
    record.goodInARow = isFailure ? 0 : record.goodInARow + 1;
    if (record.goodInARow >= GOOD_IN_A_ROW_MIN) record.isDoubted = false;
    record.failureRatio += FAILURE_RATIO_GAIN * ((isFailure ? 1 : 0) - record.failureRatio);
    if (!isFailure) return false;
    if (record.failuresInARow >= FAILURES_IN_A_ROW_MAX) return true;
    return record.samples >= FAILURE_SAMPLES_MIN && record.failureRatio > FAILURE_RATIO_MAX;
  }

  /**
   * Takes the endpoint out of the choice. `pool` = every ready endpoint of its table.
   * @returns null when it stays: already out, or a soft cause would put out more than half (`isDoubted` from then on).
   */
  eject(endpoint: EndpointIdentity, pool: readonly EndpointIdentity[], why: { cause: EjectionCause; now: MonotonicMs }): Ejection | null {
    const record = this.#record(endpoint);
    const key = endpointKey(endpoint);
    if (this.#ejections.has(key)) return null;
    record.isDoubted = isSoft(why.cause) && !mayEjectSoftly(this.#poolWith(key, pool));
    if (record.isDoubted) {
      this.#partial.add(key);
      return null;
    }
    record.streak = this.#decayedStreak(record, why.now) + 1;
    const lengthMs = Math.min(EJECTION_MAX_MS, EJECTION_BASE_MS * 2 ** (record.streak - 1));
    const ejection = { cause: why.cause, since: why.now, until: later(why.now, lengthMs) };
    this.#ejections.set(key, ejection);
    return ejection;
  }

  /** Back into the choice, with a clean count but a remembered streak. */
  restore(endpoint: EndpointIdentity, now: MonotonicMs): void {
    const record = this.#record(endpoint);
    this.#ejections.delete(endpointKey(endpoint));
    record.restoredAt = now;
    record.returnedAt = now;
    this.#partial.add(endpointKey(endpoint));
    record.failuresInARow = 0;
    record.goodInARow = 0;
    record.failureRatio = 0;
    record.samples = 0;
    record.isDoubted = false;
  }

  /** Drops what is known of endpoints that no table names, once nothing is in flight there. */
  retain(named: ReadonlySet<EndpointKey>): void {
    for (const [key, record] of this.#records) {
      if (named.has(key) || record.inFlight > 0) continue;
      this.#records.delete(key);
      this.#ejections.delete(key);
      this.#partial.delete(key);
    }
  }

  /** Of the pool and the endpoint of `key`, which is in. */
  #poolWith(key: EndpointKey, pool: readonly EndpointIdentity[]): { readonly alive: number; readonly softlyOut: number } {
    const others = pool.filter((other) => endpointKey(other) !== key);
    const softlyOut = others.filter((other) => this.isAiling(other)).length;
    const isIn = others.filter((other) => this.ejectionOf(other) === null).length;
    return { alive: 1 + isIn + softlyOut, softlyOut };
  }

  #decayedStreak(record: HealthRecord, now: MonotonicMs): number {
    return Math.max(0, record.streak - Math.floor((now - record.restoredAt) / EJECTION_DECAY_MS));
  }

  #record(endpoint: EndpointIdentity): HealthRecord {
    const key = endpointKey(endpoint);
    const known = this.#records.get(key);
    if (known !== undefined) return known;
    const record: HealthRecord = {
      inFlight: 0,
      maxBatch: 0,
      queuedSince: null,
      reported: null,
      streak: 0,
      restoredAt: monotonicMs(0),
      failuresInARow: 0,
      goodInARow: 0,
      failureRatio: 0,
      samples: 0,
      isDoubted: false,
      returnedAt: null,
    };
    this.#records.set(key, record);
    return record;
  }
}
