import { assert } from "../base/assert.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Exchange, ExchangeEvents, Handler } from "../ports/http-front.ts";
import type { KeyDigest } from "../ports/key-digest.ts";
import type { Random } from "../ports/random.ts";
import { keyRoutes } from "./api-keys.ts";
import type { Apply } from "./apply.ts";
import { applyRoutes } from "./apply-routes.ts";
import { isLoopbackHost } from "./check-caller.ts";
import { failoverRequestRoutes } from "./failover-requests.ts";
import { pageRoutes } from "./page-routes.ts";
import { missingService } from "./readiness.ts";
import { resourceRoutes } from "./resource-routes.ts";
import { createRouteTable, type AdminRoute } from "./route.ts";
import { serveExchange } from "./serve-exchange.ts";
import { createWatches } from "./watch.ts";

export interface AdminPorts {
  readonly store: ClusterStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly digest: KeyDigest;
  readonly log: EventLog;
  /** The store's one door for specs, shared with whoever else applies. */
  readonly apply: Apply;
}

export interface AdminOptions {
  /** The host that was asked for. Beyond loopback a token is a must. */
  readonly host: string;
  /** The real port, known once the front listens. */
  readonly port: () => number;
  /** More authorities (`name` or `name:port`) that callers may use. */
  readonly names: readonly string[];
  /** null = everybody who reaches the loopback port may do everything. */
  readonly token: string | null;
  /** The metrics page, in Prometheus' text format. */
  readonly metrics: () => string;
  /** What, beyond a service that nobody serves, keeps us from being ready; null = nothing. */
  readonly notReady: () => string | null;
  readonly version: string;
}

export interface Admin {
  readonly handler: Handler;
  /** Every route, for the reference, and for those who prove that each asks for its token. */
  readonly routes: readonly Omit<AdminRoute, "handle">[];
  /** Ends all watches; open requests end by themselves. */
  stop(): void;
}

/** The control plane's HTTP: resources, keys, health and metrics over the cluster store. */
export function createAdmin(ports: AdminPorts, options: AdminOptions): Admin {
  assert(isLoopbackHost(options.host) || options.token !== null, "an admin port beyond loopback has a token");
  const watches = createWatches(ports);
  const routes = [
    ...pageRoutes({ ...options, missing: async () => options.notReady() ?? (await missingService(ports.store)) }),
    ...applyRoutes(ports.apply, ports.log),
    ...keyRoutes(ports),
    ...failoverRequestRoutes(ports),
    ...resourceRoutes({ ...ports, watches }),
  ];
  const table = createRouteTable(routes);
  const tokenDigest = options.token === null ? null : ports.digest.digest(options.token);
  const policy = { names: options.names, tokenDigest, digest: ports.digest, log: ports.log, table };
  return {
    routes,
    handler: (exchange: Exchange): ExchangeEvents =>
      serveExchange(exchange, { ...policy, listening: { host: options.host, port: options.port() } }),
    stop: () => watches.stop(),
  };
}
