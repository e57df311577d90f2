import type { EventLog, LoggedEvent } from "../../ports/event-log.ts";

/** Keeps what was recorded, oldest first. */
export interface MemoryEventLog extends EventLog {
  readonly events: readonly LoggedEvent[];
  /** One JSON line for each event: equal runs give equal text. */
  text(): string;
}

/** @param eventsMax the oldest beyond it are dropped. */
export function createMemoryEventLog(eventsMax: number = 1_000_000): MemoryEventLog {
  const events: LoggedEvent[] = [];
  return {
    events,
    record: (event) => {
      events.push(event);
      if (events.length > eventsMax) events.shift();
    },
    text: () => events.map(({ level, event, fields }) => `${JSON.stringify({ level, event, ...fields })}\n`).join(""),
  };
}
