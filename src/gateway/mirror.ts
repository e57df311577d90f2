import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import { endpointKey, type EndpointIdentity, type EndpointKey, type HealthIndex } from "../routing/health.ts";
import type { Choice } from "../routing/ladder.ts";
import { LowDiscrepancy } from "../routing/low-discrepancy.ts";
import type { ClientRequest } from "./client-request.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import { MirrorCopy, type CopyOutcome, type MirrorCopyParts } from "./mirror-copy.ts";
import type { RouteStore } from "./route-store.ts";

/** Copies at one endpoint at most: this part of its batch, so that it stays free for the traffic that it stands by for. */
const BATCH_SHARE_MAX = 1 / 8;

export interface MirrorParts extends MirrorCopyParts {
  readonly routes: RouteStore;
  readonly health: HealthIndex;
  readonly metrics: GatewayMetrics;
}

/**
 * Copies a share of the serving rung's requests to the resident warm instance, so that it is known to be well before it is needed.
 * Real traffic to that instance ends its copies at once.
 */
export class Mirror {
  readonly #parts: MirrorParts;
  readonly #share = new LowDiscrepancy();
  readonly #open = new Map<EndpointKey, Set<MirrorCopy>>();

  constructor(parts: MirrorParts) {
    this.#parts = parts;
  }

  /** Called after the real request has started, once for each request. */
  copy(request: ClientRequest, table: RouteTable, choice: Choice): void {
    if (table.mirrorPercent <= 0 || table.serveFrom !== "hot" || choice.level !== "hot") return;
    const endpoint = this.#leastMirrored(table);
    if (endpoint === null || !this.#share.take(table.uid, table.mirrorPercent / 100)) return;
    if (this.#countOf(endpoint) >= Math.max(1, Math.floor(endpoint.maxBatch * BATCH_SHARE_MAX))) {
      this.#parts.metrics.mirrored.with(table.service, "skipped").add(1);
      return;
    }
    const copies = this.#open.get(endpointKey(endpoint)) ?? new Set<MirrorCopy>();
    this.#open.set(endpointKey(endpoint), copies);
    const copy = new MirrorCopy(this.#parts, { request, table, endpoint }, (ended, outcome) => this.#ended(table, ended, outcome));
    copies.add(copy);
    copy.start(request, table);
  }

  /** Real traffic goes there now. */
  yieldTo(endpoint: EndpointIdentity): void {
    if (this.#open.size === 0) return;
    for (const copy of Array.from(this.#open.get(endpointKey(endpoint)) ?? [])) copy.abort();
  }

  /** Ends the copies whose endpoint stands by no longer. */
  tablesChanged(): void {
    const { routes } = this.#parts;
    this.#share.retain(new Set(routes.all().map((table) => table.uid)));
    for (const [key, copies] of Array.from(this.#open)) {
      for (const copy of Array.from(copies)) {
        const table = routes.get(copy.tableUid);
        const isStandby = table !== null && standbys(table).some((endpoint) => endpointKey(endpoint) === key);
        if (!isStandby) copy.abort();
      }
    }
  }

  stop(): void {
    for (const copies of Array.from(this.#open.values())) for (const copy of Array.from(copies)) copy.abort();
  }

  #leastMirrored(table: RouteTable): RungEndpoint | null {
    const { health } = this.#parts;
    let best: RungEndpoint | null = null;
    for (const endpoint of standbys(table)) {
      if (health.ejectionOf(endpoint) !== null || health.inFlight(endpoint) > 0) continue;
      if (best === null || this.#countOf(endpoint) < this.#countOf(best)) best = endpoint;
    }
    return best;
  }

  #countOf(endpoint: EndpointIdentity): number {
    return this.#open.get(endpointKey(endpoint))?.size ?? 0;
  }

  #ended(table: RouteTable, copy: MirrorCopy, outcome: CopyOutcome): void {
    this.#parts.metrics.mirrored.with(table.service, outcome).add(1);
    const key = endpointKey(copy.endpoint);
    const copies = this.#open.get(key);
    copies?.delete(copy);
    if (copies?.size === 0) this.#open.delete(key);
  }
}

/** Resident warm endpoints, while the table mirrors at all. */
function standbys(table: RouteTable): RungEndpoint[] {
  if (table.mirrorPercent <= 0 || table.serveFrom !== "hot") return [];
  return table.rungs
    .filter((rung) => rung.level === "warm")
    .flatMap((rung) => rung.endpoints.filter((endpoint) => endpoint.isReady && !endpoint.isAsleep));
}
