import { parseArgs } from "node:util";

/** In the order in which they run: those that share a platform lie together. */
export const ROW_NAMES = [
  "sigkill-hot",
  "sigstop-hot",
  "sigstop-hot-answers",
  "hang",
  "steady-95",
  "control-plane-kill",
  "gateway-kill",
  "split-80-20",
  "both-hot-killed-resident",
  "both-hot-killed-resident-no-control-plane",
  "control",
  "both-hot-killed-asleep",
  "both-hot-killed-asleep-no-control-plane",
  "wake-garbage",
  "wake-failed",
  "wake-slow",
  "crash-points",
  "hot-and-warm-killed",
  "hot-and-warm-killed-no-control-plane",
  "all-gpus-lost",
  "all-gpus-lost-no-control-plane",
  "zone-lost",
  "zone-lost-no-control-plane",
  "saturation",
  "saturation-asleep",
  "mirror",
  "hold",
  "attached",
] as const;
export type RowName = (typeof ROW_NAMES)[number];

/** Rounds (of steady-95: minutes; of split-80-20 and mirror: requests; of crash-points: points at most) that each row needs to count. */
export const ROUNDS: Readonly<Record<RowName, number>> = {
  "sigkill-hot": 200,
  "sigstop-hot": 50,
  "sigstop-hot-answers": 50,
  hang: 50,
  "steady-95": 10,
  "control-plane-kill": 20,
  "gateway-kill": 10,
  "split-80-20": 2_000,
  "both-hot-killed-resident": 50,
  "both-hot-killed-resident-no-control-plane": 10,
  control: 3,
  "both-hot-killed-asleep": 50,
  "both-hot-killed-asleep-no-control-plane": 10,
  "wake-garbage": 20,
  "wake-failed": 20,
  "wake-slow": 20,
  "crash-points": 200,
  "hot-and-warm-killed": 30,
  "hot-and-warm-killed-no-control-plane": 10,
  "all-gpus-lost": 20,
  "all-gpus-lost-no-control-plane": 10,
  "zone-lost": 20,
  "zone-lost-no-control-plane": 10,
  saturation: 1,
  "saturation-asleep": 1,
  mirror: 2_000,
  hold: 1,
  attached: 20,
};
const QUICK_ROUNDS: Readonly<Record<RowName, number>> = {
  "sigkill-hot": 6,
  "sigstop-hot": 3,
  "sigstop-hot-answers": 3,
  hang: 3,
  "steady-95": 1,
  "control-plane-kill": 2,
  "gateway-kill": 2,
  "split-80-20": 500,
  "both-hot-killed-resident": 3,
  "both-hot-killed-resident-no-control-plane": 1,
  control: 2,
  "both-hot-killed-asleep": 3,
  "both-hot-killed-asleep-no-control-plane": 1,
  "wake-garbage": 1,
  "wake-failed": 1,
  "wake-slow": 1,
  "crash-points": 3,
  "hot-and-warm-killed": 2,
  "hot-and-warm-killed-no-control-plane": 1,
  "all-gpus-lost": 1,
  "all-gpus-lost-no-control-plane": 1,
  "zone-lost": 1,
  "zone-lost-no-control-plane": 1,
  saturation: 1,
  "saturation-asleep": 1,
  mirror: 400,
  hold: 1,
  attached: 2,
};

export interface BenchOptions {
  readonly rows: readonly RowName[];
  readonly json: string | null;
  readonly isControl: boolean;
  readonly isQuick: boolean;
  /** Replaces the number of fault rounds; minutes and requests stay. */
  readonly rounds: number | null;
  readonly seed: number;
  readonly keepsFiles: boolean;
}

export const USAGE = `Measures what clients lose and wait for when something breaks.
Usage: npm run bench:failover -- [--rows a,b] [--json FILE] [--quick] [--rounds N] [--seed N] [--keep] [--control no-failover]
  --rows      of: ${ROW_NAMES.join(", ")} (default: all)
  --quick     few rounds, to see that all of it runs; proves nothing
  --rounds N  rounds of each fault row
  --keep      keeps the platform's directory, with its logs
  --control no-failover  a proxy without failover in the gateway's place: the fault rows must fail
Example: npm run bench:failover -- --rows sigkill-hot,hang --rounds 5 --json /tmp/bench.json
`;

const isRowName = (text: string): text is RowName => ROW_NAMES.some((name) => name === text);

function positive(text: string | undefined, flag: string): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0) throw new Error(`--${flag} takes a positive whole number, not ${text}.`);
  return value;
}

/** @throws Error with a message for people when an argument is not understood. */
export function parseOptions(argv: readonly string[]): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rows: { type: "string" },
      json: { type: "string" },
      quick: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      control: { type: "string" },
      rounds: { type: "string" },
      seed: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const names = values.rows?.split(",") ?? ROW_NAMES;
  const unknown = names.find((name) => !isRowName(name));
  if (unknown !== undefined) throw new Error(`--rows knows no ${unknown}; it knows ${ROW_NAMES.join(", ")}.`);
  if (values.control !== undefined && values.control !== "no-failover") throw new Error("--control takes no-failover.");
  return {
    rows: ROW_NAMES.filter((name) => names.includes(name)),
    json: values.json ?? null,
    isControl: values.control !== undefined,
    isQuick: values.quick,
    rounds: positive(values.rounds, "rounds"),
    seed: positive(values.seed, "seed") ?? 1,
    keepsFiles: values.keep,
  };
}

const COUNTS_SOMETHING_ELSE: readonly RowName[] = ["steady-95", "split-80-20", "mirror", "saturation", "saturation-asleep", "hold"];

export function roundsOf(row: RowName, options: BenchOptions): number {
  if (options.rounds !== null && !COUNTS_SOMETHING_ELSE.includes(row)) return options.rounds;
  return options.isQuick ? QUICK_ROUNDS[row] : ROUNDS[row];
}
