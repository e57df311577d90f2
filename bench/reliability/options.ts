import { parseArgs } from "node:util";
import type { Shard } from "../../src/cmd/campaign-parts.ts";
import { ROWS, type ReliabilityRow } from "./rows.ts";

export interface BenchOptions {
  readonly rows: readonly ReliabilityRow[];
  readonly json: string | null;
  /** The first seed. */
  readonly seed: number;
  /** null = as many as prove the row. */
  readonly seeds: number | null;
  /** Virtual seconds of a seed; null = those of the row. */
  readonly seconds: number | null;
  readonly shard: Shard;
  readonly ledger: string | null;
}

const NAMES = ROWS.map(({ name }) => name);

export const USAGE = `Tries what a platform must bear for long: noise, no store, a cut-off gateway, two leaders. In the simulator, one world a seed.
Usage: npm run bench:reliability -- [--rows a,b] [--json FILE] [--seed N] [--seeds N] [--seconds N] [--shard I/N] [--resume LEDGER]
  --rows       of: ${NAMES.join(", ")} (default: all)
  --seed N     the first seed (default: 1)
  --seeds N    so many; fewer than the row's own prove nothing
  --seconds N  virtual seconds of each seed of a row that has a length
  --shard I/N  the I-th of N parts of the seeds
  --resume F   keeps one line a seed in F; seeds that stand there for this commit and these options are not run again
  --json FILE  {rows: [{name, value, unit, must, pass}]}
Exit 1 when a row fails. Ctrl-C ends after the seed that runs.
Example: npm run bench:reliability -- --rows healthy-noise --shard 1/2 --resume noise-1.jsonl
`;

/** @throws Error with a message for people when an argument is not understood. */
export function parseOptions(argv: readonly string[]): BenchOptions | "help" {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rows: text,
      json: text,
      seed: text,
      seeds: text,
      seconds: text,
      shard: text,
      resume: text,
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const names = values.rows?.split(",") ?? NAMES;
  const unknown = names.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw new Error(`--rows knows no ${unknown}; it knows ${NAMES.join(", ")}.`);
  return {
    rows: ROWS.filter(({ name }) => names.includes(name)),
    json: values.json ?? null,
    seed: positive(values.seed, "seed") ?? 1,
    seeds: positive(values.seeds, "seeds"),
    seconds: positive(values.seconds, "seconds"),
    shard: shardOf(values.shard),
    ledger: values.resume ?? null,
  };
}

function positive(text: string | undefined, flag: string): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0) throw new Error(`--${flag} takes a positive whole number, not ${text}.`);
  return value;
}

function shardOf(text: string | undefined): Shard {
  if (text === undefined) return { part: 1, of: 1 };
  const [part, of] = text.split("/").map(Number);
  if (part === undefined || of === undefined || !Number.isInteger(part) || !Number.isInteger(of) || part < 1 || part > of)
    throw new Error(`--shard takes I/N with 1 <= I <= N, not ${text}.`);
  return { part, of };
}
