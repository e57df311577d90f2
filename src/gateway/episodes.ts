import type { Level } from "../api/hot-standby-config.ts";
import type { EjectionCause } from "../api/link-message.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import type { MonotonicMs, ServiceName } from "../base/ids.ts";
import { endpointKey, type EndpointIdentity, type EndpointKey, type HealthIndex } from "../routing/health.ts";
import { readyEndpoints, type Choice } from "../routing/ladder.ts";
import type { ClientRequest } from "./client-request.ts";
import type { EndpointWatch } from "./endpoint-board.ts";
import { OpenEpisode, type Loss } from "./episodes-open.ts";
import type { GatewayMetrics, Outcome } from "./gateway-metrics.ts";
import type { GatewayPorts } from "./gateway-ports.ts";
import type { RouteStore } from "./route-store.ts";

/** Of one service: more losses than this at once are added to the newest. */
const OPEN_MAX = 8;
/** Losses so near to each other are one incident: a node takes all its engines. */
const JOIN_MS = 1_000;
const EPISODE_MAX_MS = 60_000;
const REPORT_EVERY_MS = 100;
/** Numbers begin anywhere below it: a gateway that follows another under the same name must not tell of its losses. */
const FIRST_NUMBER_MAX = 2 ** 31;

export interface EpisodesParts {
  readonly ports: Pick<GatewayPorts, "clock" | "link" | "random">;
  readonly routes: RouteStore;
  readonly woken: ReadonlySet<EndpointKey>;
  readonly health: HealthIndex;
  readonly metrics: GatewayMetrics;
}

/** What an episode must know of a request; its identity is the object. */
export interface AffectedRequest {
  readonly arrivedAt: MonotonicMs;
  readonly hasFirstByte: boolean;
  readonly desk: Pick<ClientRequest["desk"], "service">;
  readonly parsed: Pick<ClientRequest["parsed"], "isStream">;
}

export interface LostEndpoint extends Pick<EndpointWatch, "endpoint" | "tableUid" | "lastByteAt" | "lastTokenAt"> {
  readonly calls: Iterable<{ readonly request: AffectedRequest | null }>;
}

/** A request in an episode: from when its wait counts, and where it was lost; null = it found nobody. */
interface Membership {
  readonly episode: OpenEpisode;
  readonly sinceAt: MonotonicMs;
  readonly lostKey: EndpointKey | null;
}

/**
 * The RTO clock of one gateway: which requests a loss concerns, and how long each waited for its next good token.
 * It only listens; nothing is decided by it.
 */
export class Episodes {
  readonly #parts: EpisodesParts;
  readonly #open = new Map<ServiceName, OpenEpisode[]>();
  readonly #finished = new Map<ServiceName, OpenEpisode>();
  #lastNumber: number;
  readonly #members = new Map<AffectedRequest, Membership[]>();
  /** Of endpoints that are out. */
  readonly #losses = new Map<EndpointKey, Loss>();
  readonly #usableSince = new Map<EndpointKey, MonotonicMs>();
  readonly #served = new Set<ServiceName>();

  constructor(parts: EpisodesParts) {
    this.#parts = parts;
    this.#lastNumber = Math.floor(parts.ports.random.next() * FIRST_NUMBER_MAX);
  }

  /** An endpoint is out; called while its requests are still on it. Without requests it is only remembered. */
  ejected(watch: LostEndpoint, cause: EjectionCause): void {
    const table = this.#parts.routes.get(watch.tableUid);
    const { endpoint } = watch;
    const detectedAt = this.#now();
    const loss: Loss = { instance: endpoint.instance, cause, faultAt: faultOf(watch, cause, detectedAt), detectedAt };
    this.#losses.set(endpointKey(endpoint), loss);
    if (table === null) return;
    for (const call of watch.calls) if (call.request !== null) this.#affect(call.request, { table, endpoint, loss });
  }

  /** An attempt died with its engine, or on one that is out. */
  attemptFailed(
    request: AffectedRequest,
    on: { readonly endpoint: RungEndpoint; readonly table: RouteTable; readonly since: MonotonicMs },
  ): void {
    const known = this.#losses.get(endpointKey(on.endpoint));
    // Without an ejection the fault is not older than the attempt: a connect that found no answer, or a generation that was replaced.
    const loss: Loss = known ?? { instance: on.endpoint.instance, cause: "silent", faultAt: on.since, detectedAt: this.#now() };
    this.#affect(request, { table: on.table, endpoint: on.endpoint, loss });
  }

  /** A request waits, because nobody can serve it. What waits beside a usable endpoint waits for room, which is no loss. */
  held(request: AffectedRequest, table: RouteTable): void {
    const { health } = this.#parts;
    if (readyEndpoints(table, this.#parts.woken).some((endpoint) => health.ejectionOf(endpoint) === null)) return;
    const open = this.#open.get(table.service)?.at(-1);
    if (open !== undefined) {
      this.#join(request, open, null);
      return;
    }
    const lost = this.#newestLoss(table);
    if (lost !== null) this.#join(request, this.#begin(table, lost), null);
  }

  /** A token of an answer, or a whole answer with the time at which its first token would have come. */
  goodToken(request: AffectedRequest, by: Pick<Choice, "endpoint" | "level">, at: MonotonicMs): void {
    if (this.#members.size === 0) return;
    const memberships = this.#take(request);
    if (memberships === null) return;
    const key = endpointKey(by.endpoint);
    for (const { episode, sinceAt, lostKey } of memberships) {
      if (lostKey === key) {
        episode.withdraw(at);
      } else {
        const isFirst = !episode.hasFirstToken;
        const usableSince = this.#usableSince.get(key) ?? episode.loss.faultAt;
        episode.recover({ at, level: by.level, usableSince }, sinceAt);
        this.#parts.metrics.recovery.with(episode.service).observe(Math.max(0, at - sinceAt) / 1_000);
        if (isFirst) this.#report(episode, this.#now());
      }
    }
  }

  /** The request has ended. */
  settled(request: AffectedRequest, outcome: Outcome): void {
    if (outcome === "ok") this.#served.add(request.desk.service);
    if (this.#members.size === 0) return;
    const now = this.#now();
    for (const { episode, sinceAt } of this.#take(request) ?? []) {
      // The end of an answer without any token is its first sign, as is the error event of one that had begun.
      const hasWait = outcome === "ok" || (outcome === "stream-error" && request.hasFirstByte);
      if (outcome === "stream-error" && !request.parsed.isStream) episode.endLost(now);
      else episode.endTold(hasWait ? now - sinceAt : null, now);
    }
  }

  /** It can serve from now on: woken and verified, or back from an ejection. */
  becameUsable(endpoint: EndpointIdentity): void {
    this.#losses.delete(endpointKey(endpoint));
    this.#usableSince.set(endpointKey(endpoint), this.#now());
  }

  tablesChanged(): void {
    const named = new Set<EndpointKey>();
    for (const { endpoint } of this.#parts.routes.endpoints()) {
      const key = endpointKey(endpoint);
      named.add(key);
      // What a gateway has woken stays usable while the table still calls it asleep.
      if (!endpoint.isReady && !endpoint.isAsleep && !endpoint.isWaking) this.#usableSince.delete(key);
      else if (endpoint.isReady && !this.#usableSince.has(key)) this.#usableSince.set(key, this.#now());
    }
    for (const key of this.#usableSince.keys()) if (!named.has(key)) this.#usableSince.delete(key);
    for (const key of this.#losses.keys()) if (!named.has(key)) this.#losses.delete(key);
  }

  /** Ends what has lasted too long, and reports what has changed. */
  tick(): void {
    if (this.#open.size === 0) return;
    const now = this.#now();
    this.#expire(now);
    for (const [service, episodes] of this.#open) {
      for (const episode of episodes) {
        const isDue = episode.reportedAt === null || now - episode.reportedAt >= REPORT_EVERY_MS;
        if (episode.isChanged && isDue && !(episode.isOver && episode.isEmpty)) this.#report(episode, now);
        if (episode.isOver && !episode.isChanged) this.#finished.set(service, episode);
      }
      const left = episodes.filter((episode) => !(episode.isOver && (episode.isEmpty || !episode.isChanged)));
      if (left.length > 0) this.#open.set(service, left);
      else this.#open.delete(service);
    }
  }

  /** Says again what is open, and what ended last: a control plane that comes back was not there when it was said. */
  repeatReports(): void {
    const now = this.#now();
    for (const [service, episode] of this.#finished) if (!this.#open.has(service)) this.#report(episode, now);
    for (const episodes of this.#open.values()) for (const episode of episodes) this.#report(episode, now);
  }

  #affect(request: AffectedRequest, lost: { readonly table: RouteTable; readonly endpoint: RungEndpoint; readonly loss: Loss }): void {
    const key = endpointKey(lost.endpoint);
    const running = (this.#open.get(lost.table.service) ?? []).filter((episode) => !episode.isOver);
    const same = running.findLast((episode) => episode.lostKeys.has(key));
    const near = running.findLast((episode) => Math.abs(episode.loss.faultAt - lost.loss.faultAt) <= JOIN_MS);
    const episode = same ?? near ?? this.#begin(lost.table, { loss: lost.loss, from: levelOf(lost.table, lost.endpoint) });
    episode.lostKeys.add(key);
    this.#join(request, episode, { key, faultAt: lost.loss.faultAt });
  }

  #join(request: AffectedRequest, episode: OpenEpisode, lost: { readonly key: EndpointKey; readonly faultAt: MonotonicMs } | null): void {
    const memberships = this.#members.get(request) ?? [];
    if (memberships.some((one) => one.episode === episode)) return;
    const faultAt = lost?.faultAt ?? episode.loss.faultAt;
    const sinceAt = request.arrivedAt > faultAt ? request.arrivedAt : faultAt;
    episode.enter();
    episode.isOver = false;
    this.#members.set(request, [...memberships, { episode, sinceAt, lostKey: lost?.key ?? null }]);
  }

  #begin(table: RouteTable, of: { readonly loss: Loss; readonly from: Level }): OpenEpisode {
    const episodes = this.#open.get(table.service) ?? [];
    const newest = episodes.at(-1);
    if (newest !== undefined && episodes.length >= OPEN_MAX) {
      this.#parts.metrics.limitHits.with("episodes").add(1);
      return newest;
    }
    this.#lastNumber += 1;
    const episode = new OpenEpisode({ table, number: this.#lastNumber, ...of, beganAt: this.#now() });
    this.#open.set(table.service, [...episodes, episode]);
    return episode;
  }

  /** Whose loss it is that nobody can serve; null = nobody ever has, as while a service starts for the first time. */
  #newestLoss(table: RouteTable): { readonly loss: Loss; readonly from: Level } | null {
    const endpoints = table.rungs.flatMap((rung) => rung.endpoints.map((endpoint) => ({ endpoint, from: rung.level })));
    let newest: { readonly loss: Loss; readonly from: Level } | null = null;
    for (const { endpoint, from } of endpoints) {
      const loss = this.#losses.get(endpointKey(endpoint));
      if (loss !== undefined && (newest === null || loss.detectedAt > newest.loss.detectedAt)) newest = { loss, from };
    }
    if (newest !== null || !this.#served.has(table.service)) return newest;
    // The control plane knew first, and its table came before any request could meet the loss.
    const first = endpoints.find(({ from }) => from === table.serveFrom) ?? endpoints[0];
    if (first === undefined) return null;
    const now = this.#now();
    return { loss: { instance: first.endpoint.instance, cause: "refused", faultAt: now, detectedAt: now }, from: first.from };
  }

  #expire(now: MonotonicMs): void {
    for (const [request, memberships] of this.#members) {
      const left = memberships.filter((one) => now - one.episode.beganAt < EPISODE_MAX_MS);
      if (left.length === memberships.length) continue;
      for (const one of memberships) if (!left.includes(one)) one.episode.expire(one.sinceAt, now);
      if (left.length > 0) this.#members.set(request, left);
      else this.#members.delete(request);
    }
  }

  #take(request: AffectedRequest): readonly Membership[] | null {
    const memberships = this.#members.get(request) ?? null;
    if (memberships !== null) this.#members.delete(request);
    return memberships;
  }

  #report(episode: OpenEpisode, now: MonotonicMs): void {
    episode.isChanged = false;
    episode.reportedAt = now;
    this.#parts.ports.link.send(episode.report(now));
  }

  #now(): MonotonicMs {
    return this.#parts.ports.clock.monotonicMs();
  }
}

/** When the fault began: silence at the last sign of life; a reset or a refusal is the fault itself. */
export function faultOf(watch: Pick<LostEndpoint, "lastByteAt" | "lastTokenAt">, cause: EjectionCause, now: MonotonicMs): MonotonicMs {
  switch (cause) {
    case "silent":
      return watch.lastByteAt;
    case "no-progress":
    case "stall":
      return watch.lastTokenAt;
    case "refused":
    case "reset":
    case "cut":
    case "5xx":
    case "malformed":
      return now;
  }
}

const levelOf = (table: RouteTable, endpoint: EndpointIdentity): Level =>
  table.rungs.find((rung) => rung.endpoints.some((one) => one.uid === endpoint.uid))?.level ?? table.serveFrom;
