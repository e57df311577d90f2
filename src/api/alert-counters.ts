/** Ends of a request that a service answers for; a client's own mistakes, limits, and requests that their client gave up say nothing of it. */
export const FAILED_OUTCOMES = ["refused", "upstream-error", "stream-error"] as const;
export const JUDGED_OUTCOMES = ["ok", ...FAILED_OUTCOMES] as const;
export type JudgedOutcome = (typeof JUDGED_OUTCOMES)[number];

/** Upper bounds of the buckets of time to first token, without the infinite one. 2 s is one of them: an alert asks for it. */
export const FIRST_TOKEN_BOUNDS_SECONDS: readonly number[] = [0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 15, 30, 60];

/**
 * What alert rules read of a service, counted since the gateway started: the same numbers as on the gateway's metrics page. So the
 * control plane and a Prometheus that scrapes the page judge the same series.
 */
export interface AlertCounters {
  readonly outcomes: Readonly<Record<JudgedOutcome, number>>;
  /** First tokens within each bound of FIRST_TOKEN_BOUNDS_SECONDS, cumulative; one more at the end: all of them. */
  readonly firstTokens: readonly number[];
}
