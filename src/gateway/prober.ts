import { later, type MonotonicMs } from "../base/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { Upstream, UpstreamRequest } from "../ports/upstream.ts";
import type { EndpointKey, HealthIndex } from "../routing/health.ts";
import { mayServe } from "../routing/ladder.ts";
import { PROBE_TIMEOUT_MS } from "../routing/suspicion.ts";
import { progressOf } from "../wire/dialect.ts";
import type { EndpointWatch } from "./endpoint-board.ts";
import type { Ejector } from "./ejector.ts";
import type { RouteStore } from "./route-store.ts";
import { shortCall, type ShortAnswer } from "./short-call.ts";

const CLAIM_HEADER = "x-tidegate-claim";
export const CLAIM_EVERY_MS = 5_000;
const CLAIM_TIMEOUT_MS = 2_000;
const TRIES_OF_CLAIM = 3;
/** Between two questions whether an ejected endpoint is well. */
const RETURN_EVERY_MS = 500;
/** A hung engine says 200 to everything but work: it comes back only by an answer. */
const RETURN_WORK_TIMEOUT_MS = 2_000;

type NamedEndpoint = ReturnType<RouteStore["endpoints"]>[number];

export interface ProberParts {
  readonly ports: { readonly clock: Clock; readonly upstream: Upstream };
  readonly routes: RouteStore;
  readonly health: HealthIndex;
  readonly ejector: Ejector;
  readonly woken: ReadonlySet<EndpointKey>;
  /** Whose engines they are; every probe carries it, so that engines know that somebody still cares. */
  stateId(): string;
  /** An ejected endpoint is well: whoever waits for one may go on. */
  returned(watch: EndpointWatch): void;
}

/** Asks engines: out of suspicion, whether they may come back, and to claim them. */
export class Prober {
  readonly #parts: ProberParts;

  constructor(parts: ProberParts) {
    this.#parts = parts;
  }

  /**
   * A metrics page is the second opinion on silence: it tells life and progress at once. Where the one before has not come,
   * health is asked beside it: metrics may be missing while their engine serves.
   */
  probe(watch: EndpointWatch): void {
    const sentAt = this.#parts.ports.clock.monotonicMs();
    if (watch.isProbeOpen) this.#probeHealth(watch, sentAt);
    watch.lastProbeAt = sentAt;
    this.#ask(watch, { request: this.#get("/metrics"), timeoutMs: PROBE_TIMEOUT_MS }, (answer) => {
      if (answer.kind === "timeout") watch.sawProbeTimeout(sentAt);
      else if (answer.kind === "answer") this.#sawAnswer(watch, answer, sentAt);
      else if (answer.failure.code === "REFUSED") this.#parts.ejector.eject(watch, "refused");
      else watch.sawProbeTimeout(sentAt);
    });
  }

  /** Only a word counts: its silence is that of the metrics page, which is counted already. */
  #probeHealth(watch: EndpointWatch, askedAt: MonotonicMs): void {
    this.#ask(watch, { request: this.#get("/health"), timeoutMs: PROBE_TIMEOUT_MS }, (answer) => {
      if (answer.kind === "answer") watch.sawProbeAnswer(null, { askedAt, now: this.#parts.ports.clock.monotonicMs() });
      else if (answer.kind === "failed" && answer.failure.code === "REFUSED") this.#parts.ejector.eject(watch, "refused");
    });
  }

  /** Asks an ejected endpoint, when its time is over, whether it is well. */
  askReturn(watch: EndpointWatch): void {
    const { clock } = this.#parts.ports;
    const ejection = this.#parts.health.ejectionOf(watch.endpoint);
    if (ejection === null || watch.isAskingReturn || watch.askReturnAt === null || clock.monotonicMs() < watch.askReturnAt) return;
    const isHung = ejection.cause === "no-progress";
    // Work would kill an engine that sleeps; it is asked again when it serves.
    if (isHung && !mayServe(watch.endpoint, this.#parts.woken)) return;
    watch.isAskingReturn = true;
    const ask = isHung
      ? { request: this.#work(watch), timeoutMs: RETURN_WORK_TIMEOUT_MS }
      : { request: this.#get("/health"), timeoutMs: PROBE_TIMEOUT_MS };
    this.#ask(watch, ask, (answer) => {
      watch.isAskingReturn = false;
      watch.askReturnAt = later(clock.monotonicMs(), RETURN_EVERY_MS);
      if (answer.kind !== "answer" || answer.status !== 200) return;
      this.#parts.ejector.restore(watch);
      this.#parts.returned(watch);
    });
  }

  /** Claims every engine of every table, ready or not: they must not end themselves while the control plane is away. */
  claimAll(watchOf: (named: NamedEndpoint) => EndpointWatch, which: (named: NamedEndpoint) => boolean = () => true): void {
    for (const named of this.#parts.routes.endpoints()) if (which(named)) this.#claim(watchOf(named), TRIES_OF_CLAIM);
  }

  /** A connection that breaks is one that the engine held while it died: what is there now says the next one. */
  #claim(watch: EndpointWatch, triesLeft: number): void {
    this.#ask(watch, { request: this.#get("/health"), timeoutMs: CLAIM_TIMEOUT_MS }, (answer) => {
      if (answer.kind !== "failed" || !mayServe(watch.endpoint, this.#parts.woken)) return;
      const { code } = answer.failure;
      if (code === "REFUSED") this.#parts.ejector.eject(watch, "refused");
      else if ((code === "RESET" || code === "CUT") && triesLeft > 1) this.#claim(watch, triesLeft - 1);
    });
  }

  #sawAnswer(watch: EndpointWatch, answer: { readonly status: number; readonly body: string }, askedAt: MonotonicMs): void {
    const { engine, hasProgress } = watch.endpoint;
    const progress = answer.status === 200 && hasProgress ? progressOf(engine, answer.body) : null;
    const now = this.#parts.ports.clock.monotonicMs();
    watch.sawProbeAnswer(progress, { askedAt, now });
    if (progress !== null) this.#parts.health.sawQueue(watch.endpoint, progress.waiting, now);
  }

  #ask(watch: EndpointWatch, ask: { request: UpstreamRequest; timeoutMs: number }, done: (answer: ShortAnswer) => void): void {
    shortCall(this.#parts.ports, watch.endpoint.address, {
      ...ask,
      done: (answer) => {
        const isWord = answer.kind === "answer" || (answer.kind === "failed" && answer.failure.code !== "CONNECT_TIMEOUT");
        if (isWord) watch.heardAt = this.#parts.ports.clock.monotonicMs();
        done(answer);
      },
    });
  }

  #get(target: string): UpstreamRequest {
    return { method: "GET", target, headers: [CLAIM_HEADER, this.#parts.stateId(), "accept", "*/*"], body: null };
  }

  #work(watch: EndpointWatch): UpstreamRequest {
    const model = watch.endpoint.upstreamModel ?? this.#parts.routes.get(watch.tableUid)?.models[0] ?? "";
    const body = Buffer.from(JSON.stringify({ model, prompt: "ping", max_tokens: 1, temperature: 0 }));
    return { method: "POST", target: "/v1/completions", headers: ["content-type", "application/json"], body };
  }
}
