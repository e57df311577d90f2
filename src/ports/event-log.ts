import type { JsonObject } from "../base/json.ts";

/** One decision or fact with its inputs, so that a person can replay it. Never a prompt, a key or an upstream text. */
export interface LoggedEvent {
  readonly level: "debug" | "info" | "warn" | "error";
  /** Dotted, stable: `gateway.ejected`. */
  readonly event: string;
  readonly fields: JsonObject;
}

export interface EventLog {
  record(event: LoggedEvent): void;
}
