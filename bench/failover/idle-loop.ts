// An idle process: how late its timers fire is what the machine, not the platform, adds to every wait.
import { monotonicMs } from "./monotonic.ts";

const TICK_MS = 10;
let lagsMs: number[] = [];

function tick(dueAtMs: number): void {
  lagsMs.push(Math.max(0, monotonicMs() - dueAtMs));
  const nextAtMs = monotonicMs() + TICK_MS;
  setTimeout(() => tick(nextAtMs), TICK_MS);
}

process.on("message", () => {
  process.send?.(lagsMs);
  lagsMs = [];
});
process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
tick(monotonicMs());
