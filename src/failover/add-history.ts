import type { ServiceStatus } from "../api/service-status.ts";

/** One decision for people: what was done, and why. */
export interface Note {
  readonly what: string;
  readonly why: string;
}

export const HISTORY_MAX = 50;

/** Newest last; the oldest go first when there are too many. */
export function addHistory(history: ServiceStatus["history"], notes: readonly Note[], at: string): ServiceStatus["history"] {
  return notes.length === 0 ? history : [...history, ...notes.map((note) => ({ at, ...note }))].slice(-HISTORY_MAX);
}
