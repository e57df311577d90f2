/**
 * Whether the processes of gateways live. One that lives and is not joined (its link is cut, or it has not come back to a new control
 * plane yet) may still send by an older table: nothing is taken from under it.
 */
export interface GatewayProcesses {
  /** Pids of the gateways of this state that run now, joined or not: one that was started while its link was cut has its table from a file. */
  running(): readonly number[];
  /** Remembers who has that pid now; the answer is false for ever once that process is gone, also when another gets its pid. */
  watch(pid: number): () => boolean;
}
