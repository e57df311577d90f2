import type { RungEndpoint } from "../api/route-table.ts";
import type { MonotonicMs, ServiceName, Uid } from "../base/ids.ts";
import { GapHistogram } from "../routing/gap-histogram.ts";
import { endpointKey, type EndpointIdentity, type EndpointKey } from "../routing/health.ts";
import type { AttemptFailure } from "../routing/next-attempt.ts";
import type { Evidence, Unmoved } from "../routing/suspicion.ts";
import type { Progress } from "../wire/dialect.ts";
import type { ClientRequest } from "./client-request.ts";

/** One open call, as those see it who judge its engine. */
export interface LiveCall {
  /** The client's request that waits on it; null = none of this service does: it is a copy, another service's, or its answer is complete. */
  readonly request: ClientRequest | null;
  /** We paused it for a slow reader, or the answer is complete: its silence says nothing. */
  readonly isExcused: boolean;
  readonly hasFirstByte: boolean;
  /** Longest wait that is normal now: null = this call has no clock of its own. */
  patience(gapP99Ms: number): { readonly lateAfterMs: number; readonly cutAfterMs: number } | null;
  /** Its last token, or its dispatch. */
  readonly waitingSince: MonotonicMs;
  /** A first token that is far too late is given up only where somebody else can serve. */
  readonly mayBeCut: boolean;
  /** Another engine can go on with its answer now. */
  readonly canGoOn: boolean;
  /** Once a second: tells a client whose engine is silent that it is not forgotten. */
  keepAlive(now: MonotonicMs): void;
  /** Ends the call, as a failure of its engine. */
  lose(failure: AttemptFailure): void;
}

/** What the gateway sees of one endpoint: its open calls, bytes, tokens and probes. */
export class EndpointWatch {
  readonly calls = new Set<LiveCall>();
  readonly gaps = new GapHistogram();
  /** As the newest table describes it. */
  endpoint: RungEndpoint;
  service: ServiceName;
  tableUid: Uid;
  lastByteAt: MonotonicMs;
  lastTokenAt: MonotonicMs;
  lastProbeAt: MonotonicMs | null = null;
  unanswered = 0;
  /** Its last word of any kind, asked or not; its host's no is one too. null = it was never heard. */
  heardAt: MonotonicMs | null = null;
  /** When the newest of the unanswered probes was sent. */
  askedInVainAt: MonotonicMs | null = null;
  /** When the next question is due whether an ejected endpoint is well. */
  askReturnAt: MonotonicMs | null = null;
  isAskingReturn = false;
  /** The newest time after which the engine is known to have made a step. */
  #steppedAfter: MonotonicMs | null = null;
  /** The newest step count of its metrics, and when they were asked for. */
  #counted: { readonly steps: number; readonly askedAt: MonotonicMs } | null = null;
  #steps: { readonly count: number; readonly since: MonotonicMs } | null = null;
  #unmoved: Unmoved | null = null;
  /** The newest answer to a probe of any kind. */
  #answeredAt: MonotonicMs | null = null;

  constructor(endpoint: RungEndpoint, of: { readonly service: ServiceName; readonly uid: Uid }, now: MonotonicMs) {
    this.endpoint = endpoint;
    this.service = of.service;
    this.tableUid = of.uid;
    this.lastByteAt = now;
    this.lastTokenAt = now;
  }

  /** The dispatch that ends an idle time starts the clock of silence; later ones do not set it back. */
  begin(call: LiveCall, now: MonotonicMs): void {
    if (!this.#hasWaiting()) this.sawToken(now);
    this.calls.add(call);
  }

  /** Any byte in band is life of the process, no more: heads come from hung engines too. */
  sawByte(now: MonotonicMs): void {
    this.heardAt = now;
    this.#startSilence(now);
  }

  /** A token is life of the engine: every suspicion is over. */
  sawToken(now: MonotonicMs): void {
    this.#startSilence(now);
    this.lastTokenAt = now;
    this.#steps = null;
    this.#unmoved = null;
  }

  /** A call's next token: the engine made a step after the one before it, or after the call began. */
  sawStep(after: MonotonicMs): void {
    if (this.#steppedAfter === null || after > this.#steppedAfter) this.#steppedAfter = after;
  }

  hasSteppedSince(at: MonotonicMs): boolean {
    return this.#steppedAfter !== null && this.#steppedAfter >= at;
  }

  /** The last probe has no answer yet, or none came. */
  get isProbeOpen(): boolean {
    return this.lastProbeAt !== null && (this.#answeredAt === null || this.#answeredAt < this.lastProbeAt);
  }

  sawProbeAnswer(progress: Progress | null, { askedAt, now }: { readonly askedAt: MonotonicMs; readonly now: MonotonicMs }): void {
    this.unanswered = 0;
    this.#answeredAt = now;
    if (progress === null) return;
    this.#count(progress.steps, askedAt);
    if (this.#steps === null || this.#steps.count !== progress.steps) {
      this.#steps = { count: progress.steps, since: now };
      this.#unmoved = null;
      return;
    }
    this.#unmoved = progress.running + progress.waiting > 0 ? { since: this.#steps.since, until: askedAt } : null;
  }

  /** Whoever answered another question after this one was asked lives: a page may be missing while its engine serves. */
  sawProbeTimeout(sentAt: MonotonicMs): void {
    if (sentAt < this.lastByteAt || (this.#answeredAt !== null && this.#answeredAt >= sentAt)) return;
    this.unanswered += 1;
    this.askedInVainAt = sentAt;
  }

  /** Our own pause explains any silence: start over. */
  forgetSuspicion(now: MonotonicMs): void {
    this.sawToken(now);
    this.lastProbeAt = null;
  }

  evidence(now: MonotonicMs): Evidence {
    const gapP99Ms = this.gaps.p99Ms();
    let waiting = 0;
    let hasLateStream = false;
    for (const call of this.calls) {
      if (call.isExcused) continue;
      waiting += 1;
      const patience = call.patience(gapP99Ms);
      if (patience !== null && now - call.waitingSince >= patience.lateAfterMs) hasLateStream = true;
    }
    return {
      waiting,
      lastByteAt: this.lastByteAt,
      lastTokenAt: this.lastTokenAt,
      hasLateStream,
      lastProbeAt: this.lastProbeAt,
      unanswered: this.unanswered,
      unmoved: this.#unmoved,
    };
  }

  #startSilence(now: MonotonicMs): void {
    this.lastByteAt = now;
    this.unanswered = 0;
  }

  /** Answers of probes may overtake each other. */
  #count(steps: number, askedAt: MonotonicMs): void {
    const before = this.#counted;
    if (before !== null && askedAt < before.askedAt) return;
    if (before !== null && steps > before.steps) this.sawStep(before.askedAt);
    this.#counted = { steps, askedAt };
  }

  #hasWaiting(): boolean {
    for (const call of this.calls) if (!call.isExcused) return true;
    return false;
  }
}

/** All watched endpoints, by (uid, generation). */
export class EndpointBoard {
  readonly #watches = new Map<EndpointKey, EndpointWatch>();

  watch(endpoint: RungEndpoint, of: { readonly service: ServiceName; readonly uid: Uid }, now: MonotonicMs): EndpointWatch {
    const key = endpointKey(endpoint);
    const known = this.#watches.get(key);
    if (known !== undefined) {
      known.endpoint = endpoint;
      known.service = of.service;
      known.tableUid = of.uid;
      return known;
    }
    const watch = new EndpointWatch(endpoint, of, now);
    this.#watches.set(key, watch);
    return watch;
  }

  get(endpoint: EndpointIdentity): EndpointWatch | null {
    return this.#watches.get(endpointKey(endpoint)) ?? null;
  }

  all(): readonly EndpointWatch[] {
    return [...this.#watches.values()];
  }

  /** When any endpoint was last heard. */
  lastHeardAt(): MonotonicMs | null {
    let newest: MonotonicMs | null = null;
    for (const { heardAt } of this.#watches.values()) if (heardAt !== null && (newest === null || heardAt > newest)) newest = heardAt;
    return newest;
  }

  /** Drops watches that no table names, once nothing is open there. */
  retain(named: ReadonlySet<EndpointKey>): void {
    for (const [key, watch] of this.#watches) if (!named.has(key) && watch.calls.size === 0) this.#watches.delete(key);
  }
}
