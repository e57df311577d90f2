import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import type { MonotonicMs, Uid } from "../base/ids.ts";
import { endpointKey, type EndpointKey, type HealthIndex } from "../routing/health.ts";
import { mayServe } from "../routing/ladder.ts";

/** Tells which endpoints can serve that could not before: started, restarted or woken. Those of a service's first table are no newcomers. */
export class Newcomers {
  readonly #health: HealthIndex;
  readonly #woken: ReadonlySet<EndpointKey>;
  #serving = new Set<EndpointKey>();
  #tables = new Set<Uid>();

  constructor(of: { readonly health: HealthIndex; readonly woken: ReadonlySet<EndpointKey> }) {
    this.#health = of.health;
    this.#woken = of.woken;
  }

  /** @param named every endpoint of every table in force. */
  look(named: readonly { readonly table: Pick<RouteTable, "uid">; readonly endpoint: RungEndpoint }[], now: MonotonicMs): void {
    const serving = new Set<EndpointKey>();
    for (const { table, endpoint } of named) {
      if (!mayServe(endpoint, this.#woken)) continue;
      const key = endpointKey(endpoint);
      serving.add(key);
      if (!this.#serving.has(key) && this.#tables.has(table.uid)) this.#health.cameIn(endpoint, now);
    }
    this.#serving = serving;
    this.#tables = new Set(named.map(({ table }) => table.uid));
  }
}
