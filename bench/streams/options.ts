import { parseArgs } from "node:util";

export const ROW_NAMES = ["kills", "mix", "stops"] as const;
export type RowName = (typeof ROW_NAMES)[number];

/** Faults of each row that count. */
const FAULTS: Readonly<Record<RowName, number>> = { kills: 1_000, mix: 200, stops: 100 };

export interface StreamOptions {
  readonly rows: readonly RowName[];
  readonly faults: number | null;
  readonly seed: number;
  readonly json: string | null;
  readonly keepsFiles: boolean;
}

export const USAGE = `Kills and stops engines under fifty streams, and compares every byte that their clients got with an undisturbed answer.
Usage: npm run bench:streams -- [--rows a,b] [--faults N] [--seed N] [--json FILE] [--keep]
  --rows      of: ${ROW_NAMES.join(", ")} (default: all)
  --faults N  instead of ${ROW_NAMES.map((row) => `${FAULTS[row]} (${row})`).join(", ")}
  --keep      keeps the platform's directory, with its logs
Exit 1 when a bar is missed.
Example: npm run bench:streams -- --rows kills --faults 20 --json /tmp/streams.json
`;

export const faultsOf = (row: RowName, { faults }: StreamOptions): number => faults ?? FAULTS[row];

/** @throws Error with a message for people when an argument is not understood. */
export function parseOptions(argv: readonly string[]): StreamOptions | "help" {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rows: { type: "string" },
      faults: { type: "string" },
      seed: { type: "string", default: "1" },
      json: { type: "string" },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const names: readonly string[] = values.rows?.split(",") ?? ROW_NAMES;
  const unknown = names.find((name) => !ROW_NAMES.some((known) => known === name));
  if (unknown !== undefined) throw new Error(`--rows knows no ${unknown}; it knows ${ROW_NAMES.join(", ")}.`);
  return {
    rows: ROW_NAMES.filter((name) => names.includes(name)),
    faults: values.faults === undefined ? null : positive(values.faults, "faults"),
    seed: positive(values.seed, "seed"),
    json: values.json ?? null,
    keepsFiles: values.keep,
  };
}

function positive(text: string, flag: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0) throw new Error(`--${flag} takes a positive whole number, not ${text}.`);
  return value;
}
