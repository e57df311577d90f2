import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { refuse, type ExitCode } from "./explain.ts";

/** Of `of` equal parts of a campaign the `part`th, from 1. */
export interface Shard {
  readonly part: number;
  readonly of: number;
}

/** So many seeds from the first one on. */
export interface SeedRange {
  readonly seed: number;
  readonly seeds: number;
  readonly shard: Shard;
}

const PROGRESS_EVERY_MS = 5_000;

/** The seeds of this part. */
export function seedsOf({ seed, seeds, shard }: SeedRange): readonly number[] {
  return Array.from({ length: seeds }, (_, at) => seed + at).filter((one) => (one - seed) % shard.of === shard.part - 1);
}

/** A line on stderr every few seconds: how many seeds are done, and how long the others may take. */
export function createProgress(openCount: number): { count(seed: { readonly virtualMs: number; readonly isFailed: boolean }): void } {
  const startedMs = performance.now();
  let saidMs = startedMs;
  let doneCount = 0;
  let failedCount = 0;
  let virtualMs = 0;
  return {
    count({ virtualMs: tookVirtualMs, isFailed }) {
      doneCount += 1;
      failedCount += isFailed ? 1 : 0;
      virtualMs += tookVirtualMs;
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
export function onInterrupt(): { isAsked(): boolean; stop(): void } {
  let isAsked = false;
  const ask = (): void => {
    isAsked = true;
    process.stderr.write("Ends after the seeds that run; the ledger holds all that went before.\n");
  };
  process.once("SIGINT", ask);
  return { isAsked: () => isAsked, stop: () => process.removeListener("SIGINT", ask) };
}

/** A ledger's text, "" where there is none. A last line that was cut off is ended, so that the next one stands alone. */
export function readLines(path: string): string {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (text !== "" && !text.endsWith("\n")) appendFileSync(path, "\n");
  return text;
}

/** @returns false = the system refused it, and stderr says why. */
export function appendLine(path: string, entry: unknown): boolean {
  try {
    appendFileSync(path, `${JSON.stringify(entry)}\n`);
    return true;
  } catch (cause) {
    process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
    return false;
  }
}

export const refuseLedger = (path: string): ExitCode =>
  refuse({
    what: `The ledger ${path} cannot be written.`,
    why: "The system refused it, as said above.",
    next: "Give --resume a path that can be.",
  });

/** Of the code that runs; `-dirty` = it was changed since. */
export function commitName(): string {
  try {
    const args = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    return execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}
