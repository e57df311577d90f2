import { monotonicMs, wallMs } from "../../base/ids.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import { sleepOn } from "./sleep-on.ts";

// Node turns a longer delay into 1 ms.
const TIMER_DELAY_MAX_MS = 2_147_483_647;

/** The machine's time. */
export function createSystemClock(): Clock {
  return {
    wallMs: () => wallMs(Date.now()),
    monotonicMs: () => monotonicMs(performance.now()),
    after: (delayMs, fire) => startTimer(delayMs, fire, false),
    sleep: sleepOn((delayMs, fire) => startTimer(delayMs, fire, true)),
  };
}

function startTimer(delayMs: number, fire: () => void, keepsProcessAlive: boolean): Timer {
  const dueMs = performance.now() + Math.max(0, delayMs);
  let handle = arm();
  function arm(): NodeJS.Timeout {
    // The event loop counts whole milliseconds from its own last look, and may be early by one: look again.
    const restMs = Math.max(0, Math.min(Math.ceil(dueMs - performance.now()), TIMER_DELAY_MAX_MS));
    const next = setTimeout(() => {
      if (performance.now() < dueMs) handle = arm();
      else fire();
    }, restMs);
    return keepsProcessAlive ? next : next.unref();
  }
  return {
    cancel: () => clearTimeout(handle),
  };
}
