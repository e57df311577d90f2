import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { monotonicMs } from "../failover/monotonic.ts";
import { runFuzz, TURN_MAX_MS, type FuzzReport } from "./run-fuzz.ts";
import { TARGETS } from "./targets.ts";

const NAMES = Object.keys(TARGETS);
const USAGE = `Gives one part of the gateway hostile bytes, made by chance out of a corpus, and checks all that it does with them.
Usage: npm run fuzz -- --target NAME [--seconds N] [--executions N] [--seed N] [--json FILE] [--replay FILE]
  --target NAME   ${NAMES.join(", ")}
  --seconds N     how long (default: 60)
  --executions N  ends after so many inputs, if that is sooner
  --seed N        the same seed makes the same inputs (default: 1)
  --replay FILE   judges the one input of FILE, after 200 made ones that warm the code up
Exit 1 when an input was a find: it is written to a file, and the command that runs it again is shown.
Example: npm run fuzz -- --target body --seconds 600 --json /tmp/fuzz-body.json
`;

interface FuzzOptions {
  readonly target: string;
  readonly seconds: number;
  readonly executions: number;
  readonly seed: number;
  readonly json: string | null;
  readonly replay: string | null;
}

/** @throws Error with a message for people when an argument is not understood. */
function parseOptions(argv: readonly string[]): FuzzOptions | "help" {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      target: { type: "string" },
      seconds: { type: "string", default: "60" },
      executions: { type: "string", default: "1000000000" },
      seed: { type: "string", default: "1" },
      json: { type: "string" },
      replay: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { target = "", json = null, replay = null } = values;
  if (!NAMES.includes(target)) throw new Error(`--target takes one of ${NAMES.join(", ")}, not ${target === "" ? "nothing" : target}.`);
  const whole = (text: string, flag: string): number => {
    if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`--${flag} takes a positive whole number, not ${text}.`);
    return Number(text);
  };
  const { seconds, executions, seed } = values;
  return {
    target,
    seconds: whole(seconds, "seconds"),
    executions: whole(executions, "executions"),
    seed: whole(seed, "seed"),
    json,
    replay,
  };
}

/** @returns the files that hold what ran when it happened. */
function keepFinds({ find }: FuzzReport, { target, seed }: FuzzOptions): readonly string[] {
  return (find?.inputs ?? []).map((input, index) => {
    const path = join(tmpdir(), `tidegate-fuzz-${target}-${seed}-${process.pid}-${index}.bin`);
    writeFileSync(path, input);
    return path;
  });
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  const open = TARGETS[options.target];
  if (open === undefined) return 1;
  const fromMs = monotonicMs();
  const untilMs = fromMs + options.seconds * 1_000;
  const report = await runFuzz(open, {
    seed: options.seed,
    ...(options.replay === null
      ? { isOver: (executions) => executions >= options.executions || monotonicMs() >= untilMs }
      : { isOver: () => false, inputs: [readFileSync(options.replay)] }),
  });
  const seconds = (monotonicMs() - fromMs) / 1_000;
  const { executions, longestTurnMs, longTurns, residentBytes, find } = report;
  process.stdout.write(
    `${options.target}: ${executions} inputs in ${seconds.toFixed(1)} s, longest turn ${longestTurnMs.toFixed(1)} ms of CPU ` +
      `(must be <= ${TURN_MAX_MS}; ${longTurns} above it, and not again), ${(residentBytes / 1_048_576).toFixed(0)} MiB at most: ${find === null ? "nothing found" : "FOUND"}\n`,
  );
  const files = keepFinds(report, options);
  if (find !== null) process.stdout.write(`${find.error}\n`);
  for (const file of files) process.stdout.write(`Run it again: npm run fuzz -- --target ${options.target} --replay ${file}\n`);
  if (options.json !== null) {
    const { target, seed } = options;
    const row = {
      target,
      seed,
      seconds,
      executions,
      longestTurnMs,
      residentBytes,
      error: find?.error ?? null,
      files,
      node: process.version,
    };
    writeFileSync(options.json, `${JSON.stringify(row, null, 2)}\n`);
  }
  return find === null ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
