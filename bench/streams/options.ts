import { parseArgs } from "node:util";

const FAULT_ROW_NAMES = ["kills", "mix", "stops"] as const;
/** On the real platform, under faults. */
export type FaultRowName = (typeof FAULT_ROW_NAMES)[number];
const ROW_NAMES = [...FAULT_ROW_NAMES, "aborts", "storm", "handover", "simulated"] as const;
export type RowName = (typeof ROW_NAMES)[number];
export const isFaultRow = (row: RowName): row is FaultRowName => FAULT_ROW_NAMES.some((name) => name === row);
/** The others count, and a slow machine does not void them. */
export const isTimed = (row: RowName): boolean => isFaultRow(row) || row === "aborts";

/** Faults of each row that count; aborts of each phase; storms; of handover, reloads, with a take-over after every fifth; of the simulated one, answers. */
const COUNTS: Readonly<Record<RowName, number>> = {
  kills: 500,
  mix: 500,
  stops: 100,
  aborts: 200,
  storm: 2,
  handover: 100,
  simulated: 200,
};

export interface StreamOptions {
  readonly rows: readonly RowName[];
  readonly faults: number | null;
  readonly seed: number;
  readonly json: string | null;
  readonly keepsFiles: boolean;
}

export const USAGE = `Kills and stops engines under fifty streams, and compares every byte that their clients got with an undisturbed answer.
Row handover: reloads of routes, keys, engines and certificates, and gateways that give their place to a successor.
Usage: npm run bench:streams -- [--rows a,b] [--faults N] [--seed N] [--json FILE] [--keep]
  --rows      of: ${ROW_NAMES.join(", ")} (default: all)
  --faults N  instead of ${ROW_NAMES.map((row) => `${COUNTS[row]} (${row})`).join(", ")}
  --keep      keeps the platform's directory, with its logs
Exit 1 when a bar is missed.
Example: npm run bench:streams -- --rows kills --faults 20 --json /tmp/streams.json
`;

export const countOf = (row: RowName, { faults }: StreamOptions): number => faults ?? COUNTS[row];

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
