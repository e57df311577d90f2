import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Host } from "../../ports/host.ts";

const RESOLUTION_MS = 10;
const WINDOW_MS = 1_000;

/** The process's own health. The delay is the largest of the current and the last whole second. */
export function createSystemHost(): Host {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let lastWindowMaxMs = 0;
  setInterval(() => {
    lastWindowMaxMs = maxMsOf(delay.max);
    delay.reset();
  }, WINDOW_MS).unref();
  return {
    loopLagMs: () => Math.max(lastWindowMaxMs, maxMsOf(delay.max)),
    residentBytes: () => process.memoryUsage.rss(),
  };
}

/** The histogram counts its own sampling interval in; without a sample its maximum is 0. */
const maxMsOf = (nanoseconds: number): number => Math.max(0, nanoseconds / 1_000_000 - RESOLUTION_MS);
