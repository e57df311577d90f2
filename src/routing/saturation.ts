import type { Overflow } from "../api/hot-standby-config.ts";
import type { RungEndpoint } from "../api/route-table.ts";

/** What is known of the work at one endpoint. */
export interface EndpointLoad {
  readonly inFlight: number;
  /** How long requests have queued inside the engine; 0 = none does. */
  readonly queuedForMs: number;
}

/** A new request would queue inside the engine, or requests have queued there for long: spill first. */
export function isSaturated(endpoint: Pick<RungEndpoint, "maxBatch">, load: EndpointLoad, overflow: Overflow): boolean {
  if (load.inFlight >= overflow.inFlightRatio * endpoint.maxBatch) return true;
  return load.queuedForMs > 0 && load.queuedForMs >= overflow.queuedForMs;
}
