import type { Host } from "../../ports/host.ts";

/** A host in perfect health, unless the test says otherwise. */
export function createSimulatedHost(): Host & { setLoopLagMs(lagMs: number): void } {
  let loopLagMs = 0;
  return {
    loopLagMs: () => loopLagMs,
    residentBytes: () => 0,
    setLoopLagMs: (lagMs) => {
      loopLagMs = lagMs;
    },
  };
}
