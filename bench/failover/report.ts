import type { ControlReading } from "./machine-control.ts";

/** One number of a row, against what it must be. */
export interface Bar {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  readonly must: string;
  readonly pass: boolean;
}

export interface RowResult {
  readonly row: string;
  /** Rounds or requests that count. */
  readonly n: number;
  readonly bars: readonly Bar[];
  /** For people: what happened beside the bars. */
  readonly notes: readonly string[];
  readonly control: ControlReading | null;
}

export type Verdict = "pass" | "FAIL" | "void";

/** Void = the machine's own control did not hold: such a row neither passes nor fails, and is run again. */
export function verdictOf(result: RowResult): Verdict {
  if (result.control !== null && !result.control.holds) return "void";
  return result.bars.length > 0 && result.bars.every(({ pass }) => pass) ? "pass" : "FAIL";
}

export const atMost = (name: string, value: number | null, limit: { readonly max: number; readonly unit: string }): Bar => ({
  name,
  value,
  unit: limit.unit,
  must: `<= ${limit.max}`,
  pass: value !== null && value <= limit.max,
});
export const atLeast = (name: string, value: number, limit: { readonly min: number; readonly unit: string }): Bar => ({
  name,
  value,
  unit: limit.unit,
  must: `>= ${limit.min}`,
  pass: value >= limit.min,
});

function show(value: number | null): string {
  if (value === null) return "none";
  return Number.isFinite(value) ? `${Number(value.toFixed(1))}` : "never";
}

/** The closing table: a line for each bar. */
export function formatTable(results: readonly RowResult[]): string {
  const lines = results.flatMap((result) =>
    result.bars.map((bar) => {
      const verdict = verdictOf(result) === "void" ? "void" : bar.pass ? "pass" : "FAIL";
      return [result.row, `${result.n}`, bar.name, `${bar.must} ${bar.unit}`, show(bar.value), verdict];
    }),
  );
  const table = [["row", "n", "what", "must", "measured", ""], ...lines];
  const widths = table.reduce<number[]>((most, cells) => cells.map((cell, column) => Math.max(most[column] ?? 0, cell.length)), []);
  return table
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `rows` has one entry for each bar: `{name, value, unit, must, pass}`; a void row passes nothing; null = never, or not measured. */
export function toJson(results: readonly RowResult[], machine: Readonly<Record<string, unknown>>): string {
  const rows = results.flatMap((result) => {
    const verdict = verdictOf(result);
    return result.bars.map((bar) => ({
      name: `${result.row}: ${bar.name}`,
      value: bar.value,
      unit: bar.unit,
      must: bar.must,
      pass: bar.pass && verdict !== "void",
      row: result.row,
      n: result.n,
      isVoid: verdict === "void",
    }));
  });
  const details = results.map(({ row, notes, control }) => ({ row, notes, control }));
  return `${JSON.stringify({ rows, machine, details }, null, 2)}\n`;
}
