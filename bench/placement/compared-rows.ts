import { meanOf, type PlacementRow } from "./rows.ts";

/** What is read of an outcome, and whether ours must do better there than our own FGD. */
export interface Measure<Outcome> {
  readonly what: string;
  readonly unit: string;
  readonly of: (outcome: Outcome) => number;
  readonly better: "higher" | "lower" | "neither";
  readonly mustGain: boolean;
}

/** Policies under the same rules; the outcomes of each in the order of the seeds. */
export interface Compared<Outcome> {
  readonly setting: string;
  readonly runs: ReadonlyMap<string, readonly Outcome[]>;
  readonly ours: string;
  /** Nothing was refused: no policy can do better. */
  readonly isPerfect: (outcome: Outcome) => boolean;
}

/**
 * Means of each policy, reported; then ours against FGD, seed by seed: the mean of the gains must be above zero, or at least
 * zero where FGD refuses nothing; the worst is reported.
 */
export function comparedRows<Outcome>(compared: Compared<Outcome>, measures: readonly Measure<Outcome>[]): readonly PlacementRow[] {
  const { setting, runs, ours } = compared;
  const means = [...runs].flatMap(([policy, outcomes]) =>
    measures.map(({ what, unit, of }): PlacementRow => {
      const value = meanOf(outcomes.map(of));
      return { name: `${setting} ${policy}: ${what}`, value, unit, must: "reported", pass: Number.isFinite(value) };
    }),
  );
  const own = runs.get(ours);
  const fgd = runs.get("fgd");
  if (own === undefined || fgd === undefined) return means;
  return [...means, ...measures.flatMap((measure) => gainRows(compared, measure, { own, fgd }))];
}

function gainRows<Outcome>(
  { setting, isPerfect }: Compared<Outcome>,
  { what, unit, of, better, mustGain }: Measure<Outcome>,
  { own, fgd }: { readonly own: readonly Outcome[]; readonly fgd: readonly Outcome[] },
): readonly PlacementRow[] {
  if (better === "neither") return [];
  const sign = better === "higher" ? 1 : -1;
  const gains = own.map((outcome, at) => {
    const theirs = fgd[at];
    return theirs === undefined ? Number.NaN : sign * (of(outcome) - of(theirs));
  });
  const mean = meanOf(gains);
  const isNothingToGain = fgd.every(isPerfect);
  const name = `${setting}: gain over own fgd, ${what}`;
  const worst = Math.min(...gains);
  const must = isNothingToGain ? ">= 0" : "> 0";
  return [
    mustGain
      ? { name: `${name}, mean of seeds`, value: mean, unit, must, pass: isNothingToGain ? mean >= 0 : mean > 0 }
      : { name: `${name}, mean of seeds`, value: mean, unit, must: "reported", pass: Number.isFinite(mean) },
    { name: `${name}, worst seed`, value: worst, unit, must: "reported", pass: Number.isFinite(worst) },
  ];
}
