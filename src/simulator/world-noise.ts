import { checkedHandler } from "../adapters/checked-exchange.ts";
import { wallMs } from "../base/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { Handler } from "../ports/http-front.ts";

/** What is uneven in a world in which nothing is broken. A party is named as on the network. */
export interface WorldNoise {
  /** What a party's wall clock shows beside the true time; it may change at any time. The monotonic clock is always true. */
  wallOffsetMs(party: string): number;
  /** What one step of that engine takes, where its profile says `plannedMs`. */
  stepMs(party: string, plannedMs: number): number;
  /** How late that engine answers a question that is no work; null = it never does. */
  answerLateMs(party: string, question: "/health" | "/metrics"): number | null;
}

export const NO_NOISE: WorldNoise = {
  wallOffsetMs: () => 0,
  stepMs: (_party, plannedMs) => plannedMs,
  answerLateMs: () => 0,
};

/** The same time, shown by a party's own wall clock. */
export const clockOf = <Base extends Clock>(clock: Base, noise: WorldNoise, party: string): Base => ({
  ...clock,
  wallMs: () => wallMs(clock.wallMs() + Math.round(noise.wallOffsetMs(party))),
});

/** The same engine, whose answers to `/health` and `/metrics` are as late as the noise makes them. */
export function noisyHandler(handler: Handler, lateMs: (question: "/health" | "/metrics") => number | null, clock: Clock): Handler {
  const checked = checkedHandler(handler);
  return (exchange) => {
    const { target } = exchange;
    const events = checked(exchange);
    if (target !== "/health" && target !== "/metrics") return events;
    const late = lateMs(target);
    if (late === 0) return events;
    let isGone = false;
    return {
      ...events,
      bodyEnd: () => {
        if (late === null) return;
        clock.after(late, () => {
          if (!isGone) events.bodyEnd();
        });
      },
      gone: () => {
        isGone = true;
        events.gone();
      },
    };
  };
}
