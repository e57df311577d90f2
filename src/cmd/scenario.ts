import { formatScenarioReport, scenarioReportJson, type ScenarioReport } from "../simulator/scenario-report.ts";
import { runScenario } from "../simulator/run-scenario.ts";
import { startWorldStage } from "../simulator/world-stage.ts";
import { refuse, type ExitCode } from "./explain.ts";
import { printData } from "./print-data.ts";
import { readScenarios } from "./read-scenarios.ts";

export interface ScenarioOptions {
  readonly seed: number;
  readonly output: string;
}

/** Plays scenario files in the simulator. Exit 1 when one of them does not end as it states, or cannot be read. */
export async function runScenarios(paths: readonly string[], { seed, output }: ScenarioOptions): Promise<ExitCode> {
  const files = readScenarios(paths);
  if (!files.ok) {
    for (const refusal of files.error) refuse(refusal);
    return 1;
  }
  const reports: ScenarioReport[] = [];
  for (const { name, scenario } of files.value) {
    const report = await runScenario(scenario, await startWorldStage(scenario, seed), name);
    reports.push(report);
    if (output === "table") process.stdout.write(formatScenarioReport(report));
  }
  if (output !== "table") await printData({ kind: "ScenarioReports", seed, reports: reports.map(scenarioReportJson) }, output);
  return reports.every(({ isAsStated }) => isAsStated) ? 0 : 1;
}
