/** What remains of a failing schedule, and how often it was run for that. */
export interface Shrunk {
  readonly events: readonly number[];
  readonly runs: number;
  /** false = the limit came first, so that less may fail too. */
  readonly isMinimal: boolean;
}

/**
 * Leaves events out as long as what is left still fails (delta debugging, Zeller and Hildebrandt 2002): of the result none can be left
 * out alone.
 * @param events fails as it stands.
 */
export async function shrinkEvents(
  events: readonly number[],
  fails: (events: readonly number[]) => Promise<boolean>,
  runsMax: number,
): Promise<Shrunk> {
  let kept = events;
  let runs = 0;
  let size = Math.ceil(kept.length / 2);
  while (size >= 1) {
    const before = kept;
    for (let at = 0; at < kept.length;) {
      if (runs >= runsMax) return { events: kept, runs, isMinimal: false };
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      runs += 1;
      if (await fails(fewer)) kept = fewer;
      else at += size;
    }
    // Single events are tried again as long as one could go.
    if (size > 1) size = Math.ceil(size / 2);
    else if (kept.length === before.length) break;
  }
  return { events: kept, runs, isMinimal: true };
}
