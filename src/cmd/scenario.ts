import { formatScenarioReport, scenarioReportJson, type ScenarioReport } from "../simulator/scenario-report.ts";
import { runScenario } from "../simulator/run-scenario.ts";
import { startWorldStage } from "../simulator/world-stage.ts";
import { runCrashScenarios } from "./crash-scenarios.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { printData } from "./print-data.ts";
import { readScenarios } from "./read-scenarios.ts";

export interface ScenarioOptions {
  readonly seed: number;
  readonly output: string;
  /** Each scenario once for every crash point, with a death there. */
  readonly crashPoints: boolean;
  /** Of crash points: worlds that run at once. */
  readonly jobs: number;
}

/** Plays scenario files in the simulator. Exit 1 when one of them does not end as it states, or cannot be read. */
export async function runScenarios(paths: readonly string[], options: ScenarioOptions): Promise<ExitCode> {
  const files = readScenarios(paths);
  if (!files.ok) {
    for (const refusal of files.error) refuse(refusal);
    return 1;
  }
  if (options.crashPoints) return runCrashScenarios(files.value, options);
  const { seed, output } = options;
  const reports: ScenarioReport[] = [];
  for (const { name, scenario } of files.value) {
    const report = await runScenario(scenario, await startWorldStage(scenario, seed), name);
    reports.push(report);
    if (output === "table") process.stdout.write(formatScenarioReport(report));
  }
  if (output !== "table") await printData({ kind: "ScenarioReports", seed, reports: reports.map(scenarioReportJson) }, output);
  return reports.every(({ isAsStated }) => isAsStated) ? 0 : 1;
}
