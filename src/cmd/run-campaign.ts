import { CoverageCounter } from "../simulator/coverage.ts";
import type { LadderScenario } from "../simulator/ladder-scenario.ts";
import { appendLine, commitName, createProgress, onInterrupt, readLines, refuseLedger, seedsOf, type SeedRange } from "./campaign-parts.ts";
import type { ExitCode } from "./explain.ts";
import { parseLedger, type LedgerEntry } from "./parse-ledger.ts";
import { printCoverage } from "./print-coverage.ts";
import { createTaskPool } from "./task-pool.ts";

export interface Campaign extends SeedRange {
  /** Where each seed's line is kept, and what is there already is not run again; null = nowhere. */
  readonly ledger: string | null;
  /** Ends at the first seed that breaks a promise. */
  readonly firstFailure: boolean;
  /** Worlds that run at once, each in a thread of its own. */
  readonly jobs: number;
}

export type LadderLoad = Required<Pick<LadderScenario, "loadMs" | "requestsPerSecond" | "hasGpuFaults">>;

/** One world after the other in each job; each is in the ledger before the next begins. Ctrl-C ends after those that run. Exit 1 on violations. */
export async function runCampaign(campaign: Campaign, load: LadderLoad): Promise<ExitCode> {
  const commit = commitName();
  const known = campaign.ledger === null ? [] : parseLedger(readLines(campaign.ledger));
  const seconds = load.loadMs / 1_000;
  const seeds = seedsOf(campaign);
  const done = new Map<number, LedgerEntry>();
  for (const entry of known) {
    const isSame = entry.commit === commit && entry.seconds === seconds && entry.hasGpuFaults === load.hasGpuFaults;
    if (isSame && seeds.includes(entry.seed)) done.set(entry.seed, entry);
  }
  const open = seeds.filter((seed) => !done.has(seed));
  process.stderr.write(`Campaign at ${commit}: ${seeds.length} seeds of ${seconds} virtual seconds, ${done.size} of them in the ledger.\n`);
  const interrupted = onInterrupt();
  const progress = createProgress(open.length);
  const pool = createTaskPool(campaign.jobs);
  let refusal: ExitCode | null = null;
  let isFailed = false;
  const work = async (): Promise<void> => {
    for (let seed = open.shift(); seed !== undefined; seed = open.shift()) {
      if (interrupted.isAsked() || refusal !== null || (campaign.firstFailure && isFailed)) return;
      const entry = await pool.run({ kind: "seed", seed, commit, ...load });
      if (campaign.ledger !== null && !appendLine(campaign.ledger, entry)) refusal = refuseLedger(campaign.ledger);
      done.set(seed, entry);
      for (const violation of entry.violations) process.stderr.write(`seed ${seed}: ${violation}\n`);
      progress.count({ virtualMs: entry.virtualMs, isFailed: entry.violations.length > 0 });
      isFailed ||= entry.violations.length > 0;
    }
  };
  try {
    await Promise.all(Array.from({ length: pool.jobs }, work));
  } finally {
    interrupted.stop();
    await pool.close();
  }
  return (
    refusal ??
    conclude(
      [...done.values()].toSorted((left, right) => left.seed - right.seed),
      seeds.length,
      load,
    )
  );
}

/** What replays a seed of this load. */
export const loadArguments = ({ loadMs, hasGpuFaults }: LadderLoad): string =>
  `--seconds ${loadMs / 1_000}${hasGpuFaults ? " --gpu-faults" : ""}`;

/** The merged tables, and what failed by seed. */
function conclude(entries: readonly LedgerEntry[], seedCount: number, load: LadderLoad): ExitCode {
  const coverage = new CoverageCounter();
  for (const entry of entries) coverage.add(entry.coverage);
  printCoverage(coverage.read(), load.hasGpuFaults);
  const failed = entries.filter(({ violations }) => violations.length > 0);
  const eventCount = entries.reduce((sum, { events }) => sum + Object.values(events).reduce((total, count) => total + count, 0), 0);
  const hours = entries.reduce((sum, { virtualMs }) => sum + virtualMs, 0) / 3_600_000;
  const said = `${entries.length} of ${seedCount} seeds, ${hours.toFixed(1)} virtual hours, ${eventCount} events, ${failed.length} seeds with violations`;
  process.stdout.write(`\n${said}\n`);
  for (const { seed, violations } of failed) {
    process.stdout.write(`seed ${seed}: ${violations[0] ?? ""}\n  npm run sim -- --fault ladder ${loadArguments(load)} --seed ${seed}\n`);
  }
  return failed.length === 0 ? 0 : 1;
}
