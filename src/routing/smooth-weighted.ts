export interface Weighted {
  readonly id: string;
  /** Relative; 0 is never chosen here. */
  readonly weight: number;
}

/** Credits of those that are no candidates now; some of them only failed one request, and are the next one's. */
const STRANGERS_MAX = 32;

/**
 * Smooth weighted choice: exact shares over every whole cycle, the rare one spread evenly, no chance.
 * Each choice raises all credits by their weights, takes the richest, and charges it the sum of the weights.
 */
export class SmoothWeighted {
  readonly #credits = new Map<string, Map<string, number>>();

  /** @returns index into `candidates`, or -1 when none has a weight. Credits are kept per `pool`. */
  choose(pool: string, candidates: readonly Weighted[]): number {
    const credits = this.#credits.get(pool) ?? new Map<string, number>();
    this.#credits.set(pool, credits);
    let total = 0;
    let best = -1;
    let bestCredit = -Infinity;
    for (const [index, candidate] of candidates.entries()) {
      if (candidate.weight <= 0) continue;
      total += candidate.weight;
      const credit = (credits.get(candidate.id) ?? 0) + candidate.weight;
      credits.set(candidate.id, credit);
      if (credit > bestCredit) {
        best = index;
        bestCredit = credit;
      }
    }
    const chosen = candidates[best];
    if (chosen === undefined) return -1;
    credits.set(chosen.id, bestCredit - total);
    if (credits.size > 2 * candidates.length + STRANGERS_MAX) forgetStrangers(credits, candidates);
    return best;
  }
}

/** Instances come and go, each with an id of its own. */
function forgetStrangers(credits: Map<string, number>, candidates: readonly Weighted[]): void {
  const known = new Set(candidates.map(({ id }) => id));
  for (const id of credits.keys()) if (!known.has(id)) credits.delete(id);
}
