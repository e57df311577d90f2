/** When a loop wants to look again although nothing was reported. */
export interface Requeue {
  readonly afterMs: number;
}
