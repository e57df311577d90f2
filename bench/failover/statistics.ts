/** Nearest rank: the smallest sample that at least `ratio` of all samples do not exceed. null without samples. */
export function percentile(samples: readonly number[], ratio: number): number | null {
  if (samples.length === 0) return null;
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(ratio * sorted.length));
  return sorted[rank - 1] ?? null;
}

export const largest = (samples: readonly number[]): number | null =>
  samples.length === 0 ? null : samples.reduce((most, sample) => Math.max(most, sample));

export const sum = (samples: readonly number[]): number => samples.reduce((total, sample) => total + sample, 0);
