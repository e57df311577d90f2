import { assert } from "../base/assert.ts";
import { formatViolation } from "../simulator/checker.ts";
import type { CrashPlace } from "../simulator/crash-points.ts";
import { runCrashTrial, type CrashTrial } from "../simulator/crash-trial.ts";
import { runLadderScenario } from "../simulator/ladder-scenario.ts";
import { parseScenario } from "../simulator/parse-scenario.ts";
import type { LedgerEntry } from "./parse-ledger.ts";

/** One world of a campaign. */
export interface SeedTask {
  readonly kind: "seed";
  readonly seed: number;
  readonly loadMs: number;
  readonly requestsPerSecond: number;
  readonly hasGpuFaults: boolean;
  /** Of the code that runs. */
  readonly commit: string;
}

/** One death in one scenario. */
export interface CrashTask {
  readonly kind: "crash";
  /** Of a file that has been read without error. */
  readonly text: string;
  readonly place: CrashPlace;
  readonly seed: number;
}

/** Data alone: it crosses to another thread. */
export type CampaignTask = SeedTask | CrashTask;

interface Answers {
  readonly seed: LedgerEntry;
  readonly crash: CrashTrial;
}
export type TaskAnswer<Task extends CampaignTask> = Answers[Task["kind"]];

async function runSeed({ commit, seed, loadMs, requestsPerSecond, hasGpuFaults }: SeedTask): Promise<LedgerEntry> {
  const report = await runLadderScenario({ seed, loadMs, requestsPerSecond, hasGpuFaults });
  return {
    seed,
    seconds: loadMs / 1_000,
    hasGpuFaults,
    commit,
    hash: report.hash,
    virtualMs: report.virtualMs,
    events: countBy(report.events.map(({ className }) => className)),
    violations: report.violations.map(formatViolation),
    coverage: report.coverage,
  };
}

function runCrash({ text, place, seed }: CrashTask): Promise<CrashTrial> {
  const scenario = parseScenario(text);
  assert(scenario.ok, "a scenario is read before it is sent");
  return runCrashTrial(scenario.value, place, seed);
}

/** Runs it to its end, in this thread. */
export function performTask<Task extends CampaignTask>(task: Task): Promise<TaskAnswer<Task>>;
export function performTask(task: CampaignTask): Promise<LedgerEntry | CrashTrial> {
  return task.kind === "seed" ? runSeed(task) : runCrash(task);
}

const countBy = (names: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));
