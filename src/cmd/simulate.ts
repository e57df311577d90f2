import { CRASH_PLACES, printCrashPlace } from "../simulator/crash-points.ts";
import { formatViolation } from "../simulator/checker.ts";
import { runFaultScenario, type ScenarioFault } from "../simulator/fault-scenario.ts";
import { runLadderScenario } from "../simulator/ladder-scenario.ts";
import { printCoverage } from "./print-coverage.ts";
import type { ExitCode } from "./explain.ts";
import type { Shard } from "./campaign-parts.ts";

export interface SimulateOptions {
  readonly seed: number;
  readonly seeds: number;
  readonly seconds: number;
  /** ladder = everything that may happen, to three services with their whole ladders. Absent = a kill, then the ladder. */
  readonly fault?: ScenarioFault | "ladder";
  readonly withoutControlPlane: boolean;
  readonly log: boolean;
  /** Prints where a process may be made to crash, and runs nothing. */
  readonly crashPoints: boolean;
  /** Runs the one world that speed is told of, for `seconds`. */
  readonly measure: boolean;
  /** Of the ladder's events of a seed, only these. */
  readonly events?: readonly number[];
  /** Ladder and campaigns: also what GPUs and drivers do to single engines. */
  readonly gpuFaults: boolean;
  readonly campaign: boolean;
  /** A campaign ends at its first failure. */
  readonly firstFailure: boolean;
  /** Of a campaign: worlds that run at once. */
  readonly jobs: number;
  /** Absent = all of it. */
  readonly shard?: Shard;
  readonly resume?: string;
  /** A seed whose events are to be reduced. */
  readonly shrink?: number;
  readonly warmUpSeconds: number;
  /** What was measured goes there too, as the rows of a bench do. */
  readonly json?: string;
}

const REQUESTS_PER_SECOND = 20;
/** Of each service: all three together ask as often as in the world that speed is told of. */
const LADDER_REQUESTS_PER_SECOND = 0.7;
const WHOLE: Shard = { part: 1, of: 1 };

/** Runs whole worlds on a virtual clock, one per seed. Exit 1 when one of them broke a promise; its seed replays it. */
export async function runSimulate(options: SimulateOptions): Promise<ExitCode> {
  if (options.crashPoints) return printCrashPoints();
  if (options.measure) {
    const { measureSpeed } = await import("./measure-speed.ts");
    return measureSpeed(options);
  }
  const load = { loadMs: options.seconds * 1_000, requestsPerSecond: LADDER_REQUESTS_PER_SECOND, hasGpuFaults: options.gpuFaults };
  if (options.shrink !== undefined) {
    const { runShrink } = await import("./run-shrink.ts");
    return runShrink(options.shrink, load);
  }
  if (options.campaign) {
    const { runCampaign } = await import("./run-campaign.ts");
    return runCampaign({ ...options, shard: options.shard ?? WHOLE, ledger: options.resume ?? null }, load);
  }
  let violationCount = 0;
  const faults = faultsOf(options);
  for (let seed = options.seed; seed < options.seed + options.seeds; seed += 1) {
    for (const fault of faults) {
      const report = fault === "ladder" ? await runLadder(seed, options) : await runFault(fault, seed, options);
      if (options.log) process.stdout.write(report.log);
      const { complete, "error-event": cut, refused, broken } = report.outcomes;
      const counts = `${complete} complete, ${cut} cut with an error event, ${refused} refused, ${broken} broken`;
      const seconds = (report.virtualMs / 1_000).toFixed(1);
      process.stderr.write(`seed ${seed}, ${fault}, ${seconds} virtual seconds: ${counts}; hash ${report.hash}\n`);
      for (const violation of report.violations) process.stderr.write(`  ${violation}\n`);
      violationCount += report.violations.length;
    }
  }
  return violationCount === 0 ? 0 : 1;
}

function printCrashPoints(): ExitCode {
  for (const place of CRASH_PLACES) process.stdout.write(`${printCrashPlace(place)}\n`);
  return 0;
}

/** Events are the ladder's alone. */
function faultsOf({ fault, events, gpuFaults }: SimulateOptions): readonly (ScenarioFault | "ladder")[] {
  if (events !== undefined || gpuFaults) return ["ladder"];
  return fault === undefined ? ["kill", "ladder"] : [fault];
}

interface Report {
  readonly outcomes: Readonly<Record<"complete" | "error-event" | "refused" | "broken", number>>;
  readonly violations: readonly string[];
  readonly virtualMs: number;
  readonly hash: string;
  readonly log: string;
}

async function runLadder(seed: number, { seconds, events, seeds, log, gpuFaults }: SimulateOptions): Promise<Report> {
  const report = await runLadderScenario({
    seed,
    loadMs: seconds * 1_000,
    requestsPerSecond: LADDER_REQUESTS_PER_SECOND,
    isLogKept: log,
    hasGpuFaults: gpuFaults,
    ...(events === undefined ? {} : { events }),
  });
  // Of one world everything is told; of many their sum is what counts (--campaign).
  if (seeds === 1) {
    for (const { index, className, atMs } of report.events)
      process.stderr.write(`  event ${index} at ${(atMs / 1_000).toFixed(1)} s: ${className}\n`);
    printCoverage(report.coverage, gpuFaults);
  }
  return { ...report, violations: report.violations.map(formatViolation) };
}

function runFault(fault: ScenarioFault, seed: number, options: SimulateOptions): Promise<Report> {
  return runFaultScenario({
    seed,
    fault,
    isControlPlaneAway: options.withoutControlPlane,
    loadMs: options.seconds * 1_000,
    requestsPerSecond: REQUESTS_PER_SECOND,
  });
}
