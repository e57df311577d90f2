import type { Overflow } from "../api/hot-standby-config.ts";
import type { RungEndpoint } from "../api/route-table.ts";

/** More than this in flight and new requests would queue inside the engine: spill first. */
export function isSaturated(
  endpoint: Pick<RungEndpoint, "maxBatch">,
  inFlight: number,
  overflow: Pick<Overflow, "inFlightRatio">,
): boolean {
  return inFlight >= overflow.inFlightRatio * endpoint.maxBatch;
}
