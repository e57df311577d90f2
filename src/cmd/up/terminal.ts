import type { Explanation } from "../../base/result.ts";
import { refuse, withoutControls } from "../explain.ts";
import type { Clock } from "../../ports/clock.ts";

/** What `up` says. A closed terminal is no error: the orderly end still has to run. */
export interface Terminal {
  readonly isInteractive: boolean;
  /** A line with the seconds since the start in front. */
  readonly progress: (text: string) => void;
  readonly line: (text: string) => void;
  /** Lines for the error stream, from wherever: nothing in them steers the terminal. */
  readonly complain: (text: string) => void;
  /** What, why and what next, on the error stream. @returns the exit code. */
  readonly refuse: (explanation: Explanation) => 1;
}

export function openTerminal(clock: Clock): Terminal {
  const startedAt = clock.monotonicMs();
  const ignoreClosed = (): undefined => undefined;
  process.stdout.on("error", ignoreClosed);
  process.stderr.on("error", ignoreClosed);
  const line = (text: string): void => void process.stdout.write(`${text}\n`);
  return {
    isInteractive: process.stdout.isTTY === true,
    line,
    progress: (text) => line(`${((clock.monotonicMs() - startedAt) / 1_000).toFixed(1).padStart(5)} s  ${text}`),
    complain: (text) =>
      void process.stderr.write(
        text
          .split("\n")
          .map((part) => `${withoutControls(part)}\n`)
          .join(""),
      ),
    refuse,
  };
}
