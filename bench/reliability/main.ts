// Worlds of many seeds, against what a platform must bear for long. docs/reliability.md says what each row is.
import { writeFileSync } from "node:fs";
import { appendLine, commitName, createProgress, onInterrupt, readLines, refuseLedger, seedsOf } from "../../src/cmd/campaign-parts.ts";
import { formatTable, toJson, type RowResult } from "../failover/report.ts";
import { parseOptions, USAGE, type BenchOptions } from "./options.ts";
import { parseSeeds } from "./parse-seeds.ts";
import type { SeedEntry } from "./row-seeds.ts";
import type { ReliabilityRow } from "./rows.ts";

interface Course {
  readonly options: BenchOptions;
  readonly commit: string;
  readonly interrupted: { isAsked(): boolean };
}

/** @returns one entry of each seed of this part that has run, now or before; null = the ledger cannot be written. */
async function runRow(row: ReliabilityRow, { options, commit, interrupted }: Course): Promise<readonly SeedEntry[] | null> {
  const seconds = options.seconds ?? row.seconds ?? 0;
  const told = row.seconds === null ? [] : [`--seconds ${seconds}`];
  const named = told.join(" ");
  const seeds = seedsOf({ seed: options.seed, seeds: options.seeds ?? row.seeds, shard: options.shard });
  const known = options.ledger === null ? [] : parseSeeds(readLines(options.ledger));
  const done = new Map<number, SeedEntry>();
  for (const entry of known)
    if (entry.row === row.name && entry.commit === commit && entry.options === named && seeds.includes(entry.seed))
      done.set(entry.seed, entry);
  const open = seeds.filter((seed) => !done.has(seed));
  process.stderr.write(`${row.name} at ${commit}: ${seeds.length} seeds, ${done.size} of them in the ledger.\n`);
  const progress = createProgress(open.length);
  for (const seed of open) {
    if (interrupted.isAsked()) break;
    const report = await row.run(seed, seconds);
    const entry: SeedEntry = { row: row.name, seed, commit, options: named, ...report };
    if (options.ledger !== null && !appendLine(options.ledger, entry)) return null;
    done.set(seed, entry);
    for (const violation of entry.violations) process.stderr.write(`seed ${seed}: ${violation}\n`);
    if (entry.violations.length > 0)
      process.stderr.write(`  npm run bench:reliability -- ${["--rows", row.name, ...told, "--seeds 1 --seed", seed].join(" ")}\n`);
    progress.count({ virtualMs: entry.virtualMs, isFailed: entry.violations.length > 0 });
  }
  return [...done.values()];
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") {
    process.stderr.write(USAGE);
    return 0;
  }
  const interrupted = onInterrupt();
  const commit = commitName();
  const startedUsage = process.cpuUsage();
  const results: RowResult[] = [];
  let virtualMs = 0;
  for (const row of options.rows) {
    if (interrupted.isAsked()) break;
    const entries = await runRow(row, { options, commit, interrupted });
    if (entries === null) return refuseLedger(options.ledger ?? "");
    virtualMs += entries.reduce((sum, entry) => sum + entry.virtualMs, 0);
    results.push({ row: row.name, n: entries.length, bars: row.judge(entries), notes: notesOf(entries), control: null });
  }
  interrupted.stop();
  const { user, system } = process.cpuUsage(startedUsage);
  process.stdout.write(`${formatTable(results)}\n`);
  for (const { row, notes } of results) process.stdout.write(`${row}: ${notes.join(", ")}\n`);
  process.stdout.write(
    `${(virtualMs / 3_600_000).toFixed(1)} virtual hours, ${((user + system) / 1_000_000).toFixed(0)} s of processor time\n`,
  );
  if (options.json !== null) writeFileSync(options.json, toJson(results, { commit, node: process.version }));
  return results.length === options.rows.length && results.every(({ bars }) => bars.every(({ pass }) => pass)) ? 0 : 1;
}

/** What the seeds counted, beside the bars. */
function notesOf(entries: readonly SeedEntry[]): readonly string[] {
  const sums = new Map<string, number>();
  for (const [name, count] of entries.flatMap(({ counts }) => Object.entries(counts))) sums.set(name, (sums.get(name) ?? 0) + count);
  return [...sums].map(([name, count]) => `${name} ${count}`);
}

try {
  process.exitCode = await main();
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n${USAGE}`);
  process.exitCode = 2;
}
