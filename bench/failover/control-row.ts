import type { Bench } from "./bench.ts";
import { runHangRow, runSigkillRow, runSigstopAnswersRow, runSigstopRow } from "./engine-rows.ts";
import { NoFailover } from "./no-failover.ts";
import type { RowName } from "./options.ts";
import type { Bar, RowResult } from "./report.ts";

/** The rows that a gateway without failover must fail. */
const CONTROLLED: Readonly<Partial<Record<RowName, (bench: Bench, rounds: number) => Promise<RowResult>>>> = {
  "sigkill-hot": runSigkillRow,
  "sigstop-hot": runSigstopRow,
  "sigstop-hot-answers": runSigstopAnswersRow,
  hang: runHangRow,
};
export const CONTROLLED_ROWS: readonly string[] = Object.keys(CONTROLLED);

/** One row through a proxy that never retries, ejects or judges; null when the row is no fault of an engine. */
export async function runWithoutFailover(bench: Bench, row: RowName, rounds: number): Promise<RowResult | null> {
  const run = CONTROLLED[row];
  if (run === undefined) return null;
  const noFailover = await NoFailover.start();
  try {
    const result = await run({ ...bench, noFailover }, rounds);
    return { ...result, row: `no-failover ${result.row}` };
  } finally {
    noFailover.stop();
  }
}

/** A row has failed as it must when its fault cost requests, or held them beyond the bar. */
export function hasFailedAsItMust(result: RowResult): boolean {
  const counts = result.bars.find(({ name }) => name === "rounds that count");
  return result.bars.some((bar) => bar !== counts && !bar.pass) && result.n > 0;
}

/** The negative control as a row of the whole bench: it passes when every row without failover fails. */
export async function runControlRow(bench: Bench, rounds: number): Promise<RowResult> {
  const bars: Bar[] = [];
  const notes: string[] = [];
  let faults = 0;
  for (const row of ["sigkill-hot", "sigstop-hot", "sigstop-hot-answers", "hang"] as const) {
    const result = await runWithoutFailover(bench, row, rounds);
    if (result === null) continue;
    faults += result.n;
    const failed = hasFailedAsItMust(result);
    bars.push({ name: `${row} without failover`, value: failed ? 1 : 0, unit: "(1 = fails)", must: "= 1", pass: failed });
    notes.push(
      ...result.bars.map(
        ({ name, value, must, pass }) => `${row}: ${name} ${value?.toFixed(0)} (must ${must}): ${pass ? "pass" : "fails"}`,
      ),
    );
  }
  return { row: "control", n: faults, bars, notes, control: null };
}
