import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { CoverageCounter } from "../simulator/coverage.ts";
import type { LadderScenario } from "../simulator/ladder-scenario.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { parseLedger, type LedgerEntry } from "./parse-ledger.ts";
import { printCoverage } from "./print-coverage.ts";
import { createTaskPool } from "./task-pool.ts";

/** Of `of` equal parts of a campaign the `part`th, from 1. */
export interface Shard {
  readonly part: number;
  readonly of: number;
}

export interface Campaign {
  readonly seed: number;
  readonly seeds: number;
  readonly shard: Shard;
  /** Where each seed's line is kept, and what is there already is not run again; null = nowhere. */
  readonly ledger: string | null;
  /** Ends at the first seed that breaks a promise. */
  readonly firstFailure: boolean;
  /** Worlds that run at once, each in a thread of its own. */
  readonly jobs: number;
}

export type LadderLoad = Pick<LadderScenario, "loadMs" | "requestsPerSecond">;

const PROGRESS_EVERY_MS = 5_000;

/** One world after the other in each job; each is in the ledger before the next begins. Ctrl-C ends after those that run. Exit 1 on violations. */
export async function runCampaign(campaign: Campaign, load: LadderLoad): Promise<ExitCode> {
  const commit = commitName();
  const known = campaign.ledger === null ? [] : readLedger(campaign.ledger);
  const seconds = load.loadMs / 1_000;
  const seeds = seedsOf(campaign);
  const done = new Map<number, LedgerEntry>();
  for (const entry of known) {
    if (entry.commit === commit && entry.seconds === seconds && seeds.includes(entry.seed)) done.set(entry.seed, entry);
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
      if (campaign.ledger !== null && !append(campaign.ledger, entry)) refusal = notWritten(campaign.ledger);
      done.set(seed, entry);
      for (const violation of entry.violations) process.stderr.write(`seed ${seed}: ${violation}\n`);
      progress.count(entry);
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
      seconds,
    )
  );
}

function seedsOf({ seed, seeds, shard }: Campaign): readonly number[] {
  return Array.from({ length: seeds }, (_, at) => seed + at).filter((one) => (one - seed) % shard.of === shard.part - 1);
}

/** The merged tables, and what failed by seed. */
function conclude(entries: readonly LedgerEntry[], seedCount: number, seconds: number): ExitCode {
  const coverage = new CoverageCounter();
  for (const entry of entries) coverage.add(entry.coverage);
  printCoverage(coverage.read());
  const failed = entries.filter(({ violations }) => violations.length > 0);
  const eventCount = entries.reduce((sum, { events }) => sum + Object.values(events).reduce((total, count) => total + count, 0), 0);
  const hours = entries.reduce((sum, { virtualMs }) => sum + virtualMs, 0) / 3_600_000;
  const said = `${entries.length} of ${seedCount} seeds, ${hours.toFixed(1)} virtual hours, ${eventCount} events, ${failed.length} seeds with violations`;
  process.stdout.write(`\n${said}\n`);
  for (const { seed, violations } of failed) {
    process.stdout.write(`seed ${seed}: ${violations[0] ?? ""}\n  npm run sim -- --fault ladder --seconds ${seconds} --seed ${seed}\n`);
  }
  return failed.length === 0 ? 0 : 1;
}

function createProgress(openCount: number): { count(entry: LedgerEntry): void } {
  const startedMs = performance.now();
  let saidMs = startedMs;
  let doneCount = 0;
  let failedCount = 0;
  let virtualMs = 0;
  return {
    count(entry) {
      doneCount += 1;
      failedCount += entry.violations.length > 0 ? 1 : 0;
      virtualMs += entry.virtualMs;
      const nowMs = performance.now();
      if (nowMs - saidMs < PROGRESS_EVERY_MS) return;
      saidMs = nowMs;
      const tookMs = nowMs - startedMs;
      const leftMinutes = ((tookMs / doneCount) * (openCount - doneCount)) / 60_000;
      const rate = Math.round(virtualMs / tookMs);
      const said = `${doneCount} of ${openCount} seeds, ${failedCount} with violations, ${rate} virtual seconds a second`;
      process.stderr.write(`${said}, about ${leftMinutes.toFixed(1)} minutes left\n`);
    },
  };
}

/** The first Ctrl-C asks for an end; a second one is the system's own. */
function onInterrupt(): { isAsked(): boolean; stop(): void } {
  let isAsked = false;
  const ask = (): void => {
    isAsked = true;
    process.stderr.write("Ends after the seeds that run; the ledger holds all that went before.\n");
  };
  process.once("SIGINT", ask);
  return { isAsked: () => isAsked, stop: () => process.removeListener("SIGINT", ask) };
}

/** A last line that was cut off is ended, so that the next one stands alone. */
function readLedger(path: string): readonly LedgerEntry[] {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (text !== "" && !text.endsWith("\n")) appendFileSync(path, "\n");
  return parseLedger(text);
}

function append(path: string, entry: LedgerEntry): boolean {
  try {
    appendFileSync(path, `${JSON.stringify(entry)}\n`);
    return true;
  } catch (cause) {
    process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
    return false;
  }
}

const notWritten = (path: string): ExitCode =>
  refuse({
    what: `The ledger ${path} cannot be written.`,
    why: "The system refused it, as said above.",
    next: "Give --resume a path that can be.",
  });

function commitName(): string {
  try {
    const args = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    return execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}
