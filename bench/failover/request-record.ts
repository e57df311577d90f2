import type { AskKind } from "./ask-kind.ts";

/** How one request ended, as its client saw it. */
export type Outcome =
  /** The whole right answer: every token, its end marker, nothing else. */
  | "complete"
  /** A stream that ended in an explicit error event. */
  | "error-event"
  /** An HTTP status of 400 or more, with an error body. */
  | "error-status"
  /** Ended or cut without its end marker: the silent loss. */
  | "truncated"
  /** Complete by its form, and not the right tokens. */
  | "wrong"
  /** No connection, or one that ended before any byte. */
  | "no-answer"
  /** Nothing for longer than the client waits. */
  | "timeout";

/** Times are milliseconds of the machine's monotonic clock, which all processes share. */
export interface RequestRecord {
  readonly id: number;
  readonly isStream: boolean;
  readonly kind: AskKind;
  readonly promptTokens: number;
  readonly maxTokens: number;
  /** When the schedule wanted it sent: an open loop owes its clients this moment. */
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  /** Of each content token of a stream; empty for a whole answer. */
  readonly tokenTimesMs: readonly number[];
  readonly outcome: Outcome;
  readonly status: number | null;
  readonly instance: string | null;
  readonly level: string | null;
  /** Engines tried, 1 = the first one answered; null without an answer's head. */
  readonly attempts: number | null;
  /** Of a refusal: when to come again, by its Retry-After; null = it does not say. */
  readonly retryAfterSeconds: number | null;
  /** For people: the error's code, or what was not right. */
  readonly note: string;
}
