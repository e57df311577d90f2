import type { Clock } from "../../ports/clock.ts";
import type { MonotonicMs } from "../../base/ids.ts";

const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type EndSignal = (typeof END_SIGNALS)[number];

// Ctrl-C under npm arrives twice, about a millisecond apart.
const REPEAT_IGNORED_MS = 1_000;

export interface EndSignals {
  /** Resolves at the first signal. */
  readonly first: Promise<EndSignal>;
  /** Aborted when a signal comes again after a second: end without grace. */
  readonly hurry: AbortSignal;
  stop(): void;
}

/** Ctrl-C, TERM and a closed terminal all ask for an orderly end. */
export function listenForEnd(clock: Clock): EndSignals {
  const hurry = new AbortController();
  const { promise, resolve } = Promise.withResolvers<EndSignal>();
  let firstAt: MonotonicMs | null = null;
  const onSignal = (signal: EndSignal): void => {
    const now = clock.monotonicMs();
    if (firstAt === null) {
      firstAt = now;
      resolve(signal);
    } else if (now - firstAt > REPEAT_IGNORED_MS) {
      hurry.abort();
    }
  };
  for (const signal of END_SIGNALS) process.on(signal, onSignal);
  return {
    first: promise,
    hurry: hurry.signal,
    stop: () => {
      for (const signal of END_SIGNALS) process.off(signal, onSignal);
    },
  };
}
