import { withoutControls } from "./explain.ts";

export type Tone = "plain" | "good" | "busy" | "bad";
export interface Cell {
  readonly text: string;
  readonly tone: Tone;
}
export interface Style {
  readonly isColoured: boolean;
}

const COLOUR: Readonly<Record<Exclude<Tone, "plain">, string>> = { good: "32", busy: "33", bad: "31" };
const GAP = "  ";

export const plainCell = (text: string): Cell => ({ text, tone: "plain" });

/** Colours only where a person looks, and never against NO_COLOR (no-color.org). */
export const terminalStyle = (): Style => ({
  isColoured: process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb",
});

/** Width of each column so that title and all cells fit; the last one takes what it needs. */
export function columnWidths(titles: readonly string[], rows: readonly (readonly Cell[])[]): readonly number[] {
  return titles.map((title, column) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[column]?.text ?? ""))));
}

export function formatTable(titles: readonly string[], rows: readonly (readonly Cell[])[], style: Style): string {
  const widths = columnWidths(titles, rows);
  return [formatRow(titles.map(plainCell), widths, style), ...rows.map((row) => formatRow(row, widths, style))].join("\n");
}

/** One line; a cell wider than its column pushes the rest. */
export function formatRow(cells: readonly Cell[], widths: readonly number[], style: Style): string {
  const parts = cells.map((cell, column) => {
    const text = withoutControls(cell.text);
    const isLast = column === cells.length - 1;
    return `${coloured(text, cell.tone, style)}${isLast ? "" : " ".repeat(Math.max(0, (widths[column] ?? 0) - widthOf(text)))}`;
  });
  return parts.join(GAP).trimEnd();
}

const coloured = (text: string, tone: Tone, style: Style): string =>
  !style.isColoured || tone === "plain" ? text : `\u001B[${COLOUR[tone]}m${text}\u001B[0m`;

const widthOf = (text: string): number => Array.from(text).length;
