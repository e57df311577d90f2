import type { EventLog, LoggedEvent } from "../../ports/event-log.ts";
import { MemoryDigest } from "./memory-digest.ts";

/** Keeps what was recorded, oldest first. */
export interface MemoryEventLog extends EventLog {
  readonly events: readonly LoggedEvent[];
  /** One JSON line for each event that is kept: equal runs give equal text. */
  text(): string;
  /** 16 hexadecimal digits over every event since the start, kept or not: equal runs give equal hashes. */
  hash(): string;
  /** Told of every event as it is recorded, kept or not. */
  listen(listener: (event: LoggedEvent) => void): void;
}

/** @param eventsMax the oldest beyond it are dropped; 0 = none is kept, and only the hash tells of them. */
export function createMemoryEventLog(eventsMax: number = 1_000_000): MemoryEventLog {
  const events: LoggedEvent[] = [];
  const digest = new MemoryDigest();
  const listeners: ((event: LoggedEvent) => void)[] = [];
  const kept = (): readonly LoggedEvent[] => {
    if (events.length > eventsMax) events.splice(0, events.length - eventsMax);
    return events;
  };
  return {
    get events() {
      return kept();
    },
    record: (event) => {
      digest.add(event);
      for (const listener of listeners) listener(event);
      if (eventsMax === 0) return;
      events.push(event);
      // In great pieces: to take one away from the front of a long array moves all the others.
      if (events.length >= 2 * eventsMax) kept();
    },
    text: () =>
      kept()
        .map(({ level, event, fields }) => `${JSON.stringify({ level, event, ...fields })}\n`)
        .join(""),
    hash: () => digest.hex(),
    listen: (listener) => void listeners.push(listener),
  };
}
