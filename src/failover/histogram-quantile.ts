/**
 * Prometheus' histogram_quantile(): where the quantile lies, taking observations as spread evenly inside their bucket. One that lies
 * beyond the last bound is that bound.
 * @param cumulative observations, or their rates, within each bound; one more at the end for all.
 * @param bounds upper bounds, ascending, the first above zero.
 * @returns null when there are no observations.
 */
export function histogramQuantile(quantile: number, cumulative: readonly number[], bounds: readonly number[]): number | null {
  const counts = rising(cumulative);
  const all = counts.at(-1) ?? 0;
  if (all === 0) return null;
  const rank = quantile * all;
  const at = counts.findIndex((count) => count >= rank);
  const upper = bounds[at];
  if (upper === undefined) return bounds.at(-1) ?? null;
  const lower = bounds[at - 1] ?? 0;
  const below = counts[at - 1] ?? 0;
  return lower + (upper - lower) * ((rank - below) / ((counts[at] ?? 0) - below));
}

/** Each bucket's rate is drawn out on its own: a larger bucket may come out smaller. */
function rising(cumulative: readonly number[]): readonly number[] {
  let most = 0;
  return cumulative.map((count) => (most = Math.max(most, count)));
}
