import type { EjectionCause } from "../api/link-message.ts";
import type { AttemptFailure } from "../routing/next-attempt.ts";
import type { EndpointKey, HealthIndex } from "../routing/health.ts";
import { readyEndpoints } from "../routing/ladder.ts";
import type { EndpointWatch } from "./endpoint-board.ts";
import type { Episodes } from "./episodes.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import type { GatewayPorts } from "./gateway-ports.ts";
import type { PoisonWatch } from "./poison-watch.ts";
import type { RouteStore } from "./route-store.ts";

export interface EjectorParts {
  readonly ports: Pick<GatewayPorts, "clock" | "link" | "eventLog">;
  readonly routes: RouteStore;
  readonly health: HealthIndex;
  readonly metrics: GatewayMetrics;
  readonly woken: ReadonlySet<EndpointKey>;
  readonly episodes: Episodes;
  readonly poison: PoisonWatch;
  /** An endpoint is out, and whoever waited there has been told. */
  ejected(watch: EndpointWatch, cause: EjectionCause): void;
}

/** Takes endpoints out and puts them back, tells the control plane, and frees the requests that wait there. */
export class Ejector {
  readonly #parts: EjectorParts;

  constructor(parts: EjectorParts) {
    this.#parts = parts;
  }

  /** Does nothing when the endpoint is out already, or stays because too many are out for bad answers. */
  eject(watch: EndpointWatch, cause: EjectionCause): void {
    const { ports, routes, health, metrics } = this.#parts;
    const now = ports.clock.monotonicMs();
    const table = routes.get(watch.tableUid);
    const pool = table === null ? [] : readyEndpoints(table, this.#parts.woken);
    const ejection = health.eject(watch.endpoint, pool, { cause, now });
    const { instance, uid, generation } = watch.endpoint;
    if (ejection === null) {
      if (health.isDoubted(watch.endpoint)) metrics.ejectionsWithheld.with(watch.service, instance, cause).add(1);
      return;
    }
    watch.askReturnAt = ejection.until;
    metrics.ejections.with(watch.service, instance, cause).add(1);
    metrics.ejectionSeconds.with(watch.service, instance).set((ejection.until - now) / 1_000);
    ports.link.send({ type: "ejected", service: watch.service, instance, uid, generation, cause, ageMs: 0 });
    ports.eventLog.record({
      level: "warn",
      event: "gateway.ejected",
      fields: {
        service: watch.service,
        instance,
        generation,
        cause,
        callsOpen: watch.calls.size,
        silentForMs: Math.round(now - watch.lastByteAt),
        tokenlessForMs: Math.round(now - watch.lastTokenAt),
        backAfterMs: Math.round(ejection.until - now),
      },
    });
    this.#parts.episodes.ejected(watch, cause);
    this.#parts.poison.ejected(watch, cause);
    this.#freeCalls(watch, cause);
    this.#parts.ejected(watch, cause);
  }

  /** Says again what is out: a control plane that comes back was not there when it was said. */
  repeatReports(watches: Iterable<EndpointWatch>): void {
    const { ports, health } = this.#parts;
    const now = ports.clock.monotonicMs();
    for (const watch of watches) {
      const ejection = health.ejectionOf(watch.endpoint);
      if (ejection === null) continue;
      const { instance, uid, generation } = watch.endpoint;
      const { cause, since } = ejection;
      ports.link.send({ type: "ejected", service: watch.service, instance, uid, generation, cause, ageMs: Math.max(0, now - since) });
    }
  }

  restore(watch: EndpointWatch): void {
    const { ports, health, metrics } = this.#parts;
    const now = ports.clock.monotonicMs();
    health.restore(watch.endpoint, now);
    watch.askReturnAt = null;
    this.#parts.episodes.becameUsable(watch.endpoint);
    this.#parts.poison.lives(watch.endpoint);
    watch.forgetSuspicion(now);
    metrics.returns.with(watch.service, watch.endpoint.instance).add(1);
    metrics.ejectionSeconds.with(watch.service, watch.endpoint.instance).set(0);
    const { instance, generation } = watch.endpoint;
    ports.eventLog.record({ level: "info", event: "gateway.returned", fields: { service: watch.service, instance, generation } });
  }

  /**
   * Calls without a first byte go elsewhere in this turn. Streams that already flow are cut only where the engine itself stands still:
   * after one reset connection the others may live on, or their own sockets tell.
   */
  #freeCalls(watch: EndpointWatch, cause: EjectionCause): void {
    if (cause === "5xx" || cause === "stall") return;
    const isStill = cause === "silent" || cause === "no-progress";
    const failure: AttemptFailure = { isHard: true, code: isStill ? "upstream_stalled" : "upstream_lost" };
    for (const call of Array.from(watch.calls)) if (isStill || !call.hasFirstByte) call.lose(failure);
  }
}
