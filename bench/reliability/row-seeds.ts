import type { RowReport } from "../../src/simulator/row-report.ts";

/** One seed of a row as the ledger keeps it. */
export interface SeedEntry extends RowReport {
  readonly row: string;
  readonly seed: number;
  readonly commit: string;
  /** Of the run, as text: a seed run with others is another one. */
  readonly options: string;
}

export const sumOf = (entries: readonly SeedEntry[], count: string): number =>
  entries.reduce((sum, { counts }) => sum + (counts[count] ?? 0), 0);

export const timesOf = (entries: readonly SeedEntry[], name: string): readonly number[] =>
  entries.flatMap(({ timesMs }) => timesMs[name] ?? []);

/** How many violations have one of these words; without words: how many there are. */
export const violationsOf = (entries: readonly SeedEntry[], words: readonly string[] = []): number =>
  entries.flatMap(({ violations }) => violations).filter((one) => words.length === 0 || words.some((word) => one.includes(word))).length;

/** Sums of all counts whose name begins so, by the rest of the name. */
export function countsBy(entries: readonly SeedEntry[], prefix: string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const [name, count] of entries.flatMap(({ counts }) => Object.entries(counts)))
    if (name.startsWith(prefix)) sums.set(name.slice(prefix.length), (sums.get(name.slice(prefix.length)) ?? 0) + count);
  return sums;
}
