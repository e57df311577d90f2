/** What one seed of a row of the reliability bench came to. */
export interface RowReport {
  /** What must never be: empty in a good run. Each says the virtual time, whom and what. */
  readonly violations: readonly string[];
  /** How often each thing was; rows add them up over seeds. */
  readonly counts: Readonly<Record<string, number>>;
  /** Times in milliseconds, by what they are of; rows put them together over seeds. */
  readonly timesMs: Readonly<Record<string, readonly number[]>>;
  readonly virtualMs: number;
  /** Of every event: equal for equal seeds at one commit. */
  readonly hash: string;
}
