import type { Clock } from "../../ports/clock.ts";

/** A clock's `sleep`, made of its timers. */
export const sleepOn =
  (after: Clock["after"]): Clock["sleep"] =>
  (delayMs, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const wake = (): void => {
        timer.cancel();
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = after(delayMs, wake);
      signal.addEventListener("abort", wake, { once: true });
    });
