import { runFaultScenario, type ScenarioFault } from "../simulator/fault-scenario.ts";
import type { ExitCode } from "./explain.ts";

export interface SimulateOptions {
  readonly seed: number;
  readonly seeds: number;
  readonly seconds: number;
  readonly fault: ScenarioFault;
  readonly withoutControlPlane: boolean;
  readonly log: boolean;
}

const REQUESTS_PER_SECOND = 20;

/** Runs whole worlds on a virtual clock, one per seed. Exit 1 when one of them broke a promise; its seed replays it. */
export async function runSimulate(options: SimulateOptions): Promise<ExitCode> {
  let violationCount = 0;
  const { fault, withoutControlPlane: isControlPlaneAway } = options;
  const load = { loadMs: options.seconds * 1_000, requestsPerSecond: REQUESTS_PER_SECOND };
  for (let seed = options.seed; seed < options.seed + options.seeds; seed += 1) {
    const report = await runFaultScenario({ seed, fault, isControlPlaneAway, ...load });
    if (options.log) process.stdout.write(report.log);
    const { complete, "error-event": cut, refused, broken } = report.outcomes;
    const counts = `${complete} complete, ${cut} cut with an error event, ${refused} refused, ${broken} broken`;
    process.stderr.write(`seed ${seed}, ${fault}, ${(report.virtualMs / 1_000).toFixed(1)} virtual seconds: ${counts}\n`);
    for (const violation of report.violations) process.stderr.write(`  ${violation}\n`);
    violationCount += report.violations.length;
  }
  return violationCount === 0 ? 0 : 1;
}
