import type { BodyIdentity } from "../admission/suspect-bodies.ts";
import type { EjectionCause } from "../api/link-message.ts";
import type { MonotonicMs } from "../base/ids.ts";
import { endpointKey, type EndpointIdentity, type EndpointKey } from "../routing/health.ts";
import { isPoison, meansDeath } from "../routing/poison.ts";
import { PROBE_TIMEOUT_MS } from "../routing/suspicion.ts";
import type { ClientRequest } from "./client-request.ts";
import type { EndpointWatch } from "./endpoint-board.ts";
import type { DeathRecord, DeathUnderRequest } from "./engine-death.ts";
import { faultOf } from "./episodes.ts";
import type { GatewayMetrics, Outcome } from "./gateway-metrics.ts";
import { BODY_BYTES_MAX, type GatewayPorts } from "./gateway-ports.ts";
import { shortCall } from "./short-call.ts";

export interface PoisonWatchParts {
  readonly ports: Pick<GatewayPorts, "clock" | "upstream" | "eventLog" | "keyDigest">;
  readonly metrics: GatewayMetrics;
}

/** What else dies of the same fault shows within this time, because after a death all others are looked at. */
const SETTLE_MS = 100;
const HISTORY_MAX = 1_000;
const REQUEST_DEATHS_MAX = 8;

/**
 * Finds requests that kill engines, and keeps them from the next one. A request that `isPoison` suspects waits for a moment: whether other
 * services lost engines too, and whether its own do not answer after all. Then it goes on, or is refused and its body is remembered.
 */
export class PoisonWatch {
  readonly #parts: PoisonWatchParts;
  /** The newest death of each endpoint that a table names. */
  readonly #records = new Map<EndpointKey, DeathRecord>();
  readonly #history: DeathRecord[] = [];
  /** Requests whose engine has just died: asked about in the same turn. */
  readonly #fresh = new Set<ClientRequest>();
  /** The newest death under each request that is open. */
  readonly #lastDeaths = new WeakMap<ClientRequest, DeathUnderRequest>();
  #since: MonotonicMs;

  constructor(parts: PoisonWatchParts) {
    this.#parts = parts;
    this.#since = parts.ports.clock.monotonicMs();
  }

  /** Once for each new request: it begins with what is known against its body, or is refused for it. */
  admit(request: ClientRequest): void {
    const found = request.desk.suspectBodies.admit(this.#identityOf(request), this.#now());
    switch (found.kind) {
      case "free":
        return;
      case "refuse":
        return this.#quarantine(request, "same-body");
      case "noted":
      case "trial":
        request.suspectBody = found.body;
        request.isTrial = found.kind === "trial";
        request.deaths = found.body.deaths;
    }
  }

  /** An endpoint is out; called before its requests are told. */
  ejected(watch: EndpointWatch, cause: EjectionCause): void {
    if (meansDeath(cause)) this.#recordOf(watch, cause);
  }

  /** The engine died that ran the request since `startedAt`. */
  died(
    request: ClientRequest,
    by: { readonly watch: EndpointWatch; readonly cause: EjectionCause; readonly startedAt: MonotonicMs },
  ): void {
    const record = this.#recordOf(by.watch, by.cause);
    const hasStepped = by.watch.hasSteppedSince(by.startedAt);
    if (!hasStepped && !wasAlive(record, by)) return;
    const under: DeathUnderRequest = { record, hasStepped };
    request.deaths = [...request.deaths, under].slice(-REQUEST_DEATHS_MAX);
    this.#fresh.add(request);
    this.#lastDeaths.set(request, under);
  }

  /** It answers at the generation that was called dead. */
  lives(endpoint: EndpointIdentity): void {
    const record = this.#records.get(endpointKey(endpoint));
    if (record !== undefined) record.isDisproved = true;
  }

  /**
   * Asked when an attempt has failed. @returns true when the request may be what killed its engine: `decided` is called once, later,
   * and `isQuarantined` says what came of it.
   */
  suspects(request: ClientRequest, decided: () => void): boolean {
    if (!this.#fresh.delete(request) || !this.#isPoison(request)) return false;
    this.#parts.ports.clock.after(SETTLE_MS, () => {
      let open = request.deaths.length;
      const answered = (): void => {
        open -= 1;
        if (open > 0) return;
        if (this.#isPoison(request)) this.#convict(request);
        decided();
      };
      for (const { record } of request.deaths) this.#ask(record, answered);
    });
    return true;
  }

  settled(request: ClientRequest, outcome: Outcome): void {
    const { suspectBody, desk } = request;
    // An engine that died under it may have left it to another that it ran in too.
    this.#fresh.delete(request);
    const last = this.#lastDeaths.get(request);
    // A request that runs elsewhere carries its deaths itself; an answer that had begun and ends here is sent anew by its client.
    if (outcome === "stream-error" && last !== undefined) this.#note(request, last);
    if (suspectBody === null) return;
    if (outcome === "ok") desk.suspectBodies.answered(suspectBody);
    else if (request.isTrial) desk.suspectBodies.trialEnded(suspectBody);
  }

  tablesChanged(named: ReadonlySet<EndpointKey>): void {
    for (const key of this.#records.keys()) if (!named.has(key)) this.#records.delete(key);
  }

  #isPoison({ deaths }: ClientRequest): boolean {
    if (deaths.length < 2 || deaths.at(-1)?.record.isDisproved !== false) return false;
    const proved = deaths.filter(({ record }) => !record.isDisproved);
    const history = this.#history.filter((record) => !record.isDisproved).map((record) => record.death);
    return isPoison(
      proved.map(({ record, hasStepped }) => ({ ...record.death, hasStepped })),
      { since: this.#since, deaths: history },
    );
  }

  /** A hung engine answers all but work, and one that was replaced is gone: neither is asked. */
  #ask(record: DeathRecord, done: () => void): void {
    const isReplaced = this.#records.get(record.death.engine) !== record;
    if (record.asked === "yes" || record.cause === "no-progress" || isReplaced) return done();
    record.waiting.push(done);
    if (record.asked === "asking") return;
    record.asked = "asking";
    const request = { method: "GET", target: "/health", headers: ["accept", "*/*"], body: null } as const;
    shortCall(this.#parts.ports, record.address, {
      request,
      timeoutMs: PROBE_TIMEOUT_MS,
      done: (answer) => {
        record.asked = "yes";
        if (answer.kind === "answer" && answer.status === 200) record.isDisproved = true;
        for (const one of record.waiting.splice(0)) one();
      },
    });
  }

  #convict(request: ClientRequest): void {
    this.#quarantine(request, "killed-engines");
    const { desk, deaths, isTrial } = request;
    const isFull = desk.suspectBodies.convict(this.#identityOf(request), { deaths, isTrial }, this.#now());
    if (isFull) this.#parts.metrics.limitHits.with("suspect-bodies").add(1);
  }

  #quarantine(request: ClientRequest, because: "killed-engines" | "same-body"): void {
    request.isQuarantined = true;
    const { service } = request.desk;
    this.#parts.metrics.quarantined.with(service, because).add(1);
    // Neither the prompt nor its digest: a short prompt could be guessed from it.
    this.#parts.ports.eventLog.record({
      level: "warn",
      event: "gateway.request-quarantined",
      fields: {
        request: request.id,
        service,
        because,
        isTrial: request.isTrial,
        attempts: request.attempts,
        instances: request.deaths.map(({ record }) => record.instance).join(", "),
      },
    });
  }

  #note(request: ClientRequest, under: DeathUnderRequest): void {
    const { record } = under;
    const { limitHits } = this.#parts.metrics;
    // Digests at a death must not keep those waiting that go elsewhere: as much as one largest body.
    if (record.notedBytes + request.body.length > BODY_BYTES_MAX) return limitHits.with("noted-bodies").add(1);
    record.notedBytes += request.body.length;
    if (request.desk.suspectBodies.note(this.#identityOf(request), under, this.#now())) limitHits.with("suspect-bodies").add(1);
  }

  #recordOf(watch: EndpointWatch, cause: EjectionCause): DeathRecord {
    const engine = endpointKey(watch.endpoint);
    const known = this.#records.get(engine);
    if (known !== undefined && !known.isDisproved) return known;
    const { instance, address, node, zone } = watch.endpoint;
    const seenAt = this.#now();
    const at = faultOf(watch, cause, seenAt);
    const death = { engine, service: watch.service, machine: node ?? address.host, zone, at, seenAt };
    const record: DeathRecord = { death, instance, address, cause, isDisproved: false, asked: "no", waiting: [], notedBytes: 0 };
    this.#records.set(engine, record);
    this.#history.push(record);
    const forgotten = this.#history.length > HISTORY_MAX ? this.#history.shift() : undefined;
    if (forgotten !== undefined && forgotten.death.at > this.#since) this.#since = forgotten.death.at;
    return record;
  }

  #identityOf(request: ClientRequest): BodyIdentity {
    let known: string | null = null;
    return {
      bytes: request.body.length,
      fingerprint: () => {
        known ??= `${request.target} ${this.#parts.ports.keyDigest.fingerprint(request.body)}`;
        return known;
      },
    };
  }

  #now(): MonotonicMs {
    return this.#parts.ports.clock.monotonicMs();
  }
}

/** Whom a request did not find alive, it cannot have killed. After silence, or at a closed port, only a byte since then shows it. */
function wasAlive(record: DeathRecord, by: { readonly watch: EndpointWatch; readonly startedAt: MonotonicMs }): boolean {
  if (record.death.at < by.startedAt) return false;
  return (record.cause !== "refused" && record.cause !== "silent") || by.watch.lastByteAt > by.startedAt;
}
