/** The process's own health, for those who judge others. */
export interface Host {
  /** Largest delay of the event loop seen in the last second, in milliseconds. */
  loopLagMs(): number;
  residentBytes(): number;
}
