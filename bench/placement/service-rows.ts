import type { ComeAndLeaveOutcome } from "./come-and-leave.ts";
import { comparedRows } from "./compared-rows.ts";
import type { PlacementRow } from "./rows.ts";
import type { ServiceFill } from "./service-run.ts";

/** @param ours whose runs are compared with those of FGD. */
export function turnedOverRows(
  setting: string,
  runs: ReadonlyMap<string, readonly Pick<ComeAndLeaveOutcome, "allocation" | "rejected">[]>,
  ours: string,
): readonly PlacementRow[] {
  return comparedRows({ setting, runs, ours, isPerfect: ({ rejected }) => rejected === 0 }, [
    { what: "allocation over time", unit: "%", of: ({ allocation }) => allocation, better: "higher", mustGain: true },
    { what: "GPU milli rejected", unit: "%", of: ({ rejected }) => rejected, better: "lower", mustGain: true },
  ]);
}

/** The rules are the same for everybody, so nobody may break them. */
export function fragileRow(rows: string, fills: readonly ServiceFill[]): PlacementRow {
  const value = fills.reduce((sum, { fragile }) => sum + fragile, 0);
  return { name: `${rows}: services that lose two levels with one node`, value, unit: "services", must: "<= 0", pass: value === 0 };
}
