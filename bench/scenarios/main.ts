// Scenario files against real processes, each compared with its run in the simulator.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { formatExplanation } from "../../src/cmd/explain.ts";
import { readScenarios, type ScenarioFile } from "../../src/cmd/read-scenarios.ts";
import { compareReports } from "../../src/simulator/compare-reports.ts";
import { runScenario } from "../../src/simulator/run-scenario.ts";
import { formatScenarioReport, scenarioReportJson, type ScenarioReport } from "../../src/simulator/scenario-report.ts";
import { startWorldStage } from "../../src/simulator/world-stage.ts";
import { endRealStages, startRealStage } from "./real-stage.ts";

const ALL = fileURLToPath(new URL("../../scenarios", import.meta.url));
const USAGE = `Plays scenario files, in the simulator and with real processes.
Usage: npm run scenarios -- [FILE...] [--real] [--seed N] [-o json] [--json FILE]
  FILE        a scenario file, or a folder of them (default: scenarios)
  --real      also with real processes, and compare the two
  --seed N    chance of both worlds
  --json FILE also write rows there, one for each scenario and their sums
Exit 1 when a run does not end as its file states, or the two worlds differ.
Example: npm run scenarios -- scenarios/one-hot-killed.scenario --real
`;

interface Played {
  readonly reports: readonly ScenarioReport[];
  readonly differences: readonly string[];
}

/** What the file asks for that no real process can do. */
const isOnlySimulated = ({ scenario }: ScenarioFile): boolean => scenario.events.some(({ event }) => event.kind === "cut-link");

async function play(file: ScenarioFile, { seed, isReal }: { readonly seed: number; readonly isReal: boolean }): Promise<Played> {
  const { name, scenario } = file;
  const simulated = await runScenario(scenario, await startWorldStage(scenario, seed), name);
  if (!isReal || isOnlySimulated(file)) return { reports: [simulated], differences: [] };
  const real = await runScenario(scenario, await startRealStage(scenario, seed), name);
  return { reports: [simulated, real], differences: compareReports(simulated, real) };
}

function rowsOf(all: readonly Played[]) {
  const row = (name: string, value: number, unit: string, must: string, pass: boolean) => ({ name, value, unit, must, pass });
  const isGood = ({ reports, differences }: Played): boolean => differences.length === 0 && reports.every(({ isAsStated }) => isAsStated);
  const isPlanted = ({ reports }: Played): boolean => reports.some(({ unmet }) => unmet.some(({ planted }) => planted !== null));
  const inBoth = all.filter((played) => played.reports.length === 2 && isGood(played));
  const planted = inBoth.filter((played) => isPlanted(played) && played.reports.every(({ verdict }) => verdict === "fail")).length;
  return [
    ...all.map((played) => row(played.reports[0]?.name ?? "", isGood(played) ? 1 : 0, "(1 = as stated, and alike)", "= 1", isGood(played))),
    row("scenarios", all.length, "files", ">= 24", all.length >= 24),
    row("planted bugs at which both worlds fail", planted, "files", ">= 6", planted >= 6),
    row("scenarios that both worlds played alike", inBoth.length, "files", `>= ${all.length - 1}`, inBoth.length >= all.length - 1),
  ];
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      real: { type: "boolean", default: false },
      seed: { type: "string", default: "1" },
      output: { type: "string", short: "o", default: "table" },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const seed = Number(values.seed);
  if (values.help || !Number.isInteger(seed) || !["table", "json"].includes(values.output)) {
    process.stderr.write(USAGE);
    return values.help ? 0 : 2;
  }
  const files = readScenarios(positionals.length === 0 ? [ALL] : positionals);
  if (!files.ok) {
    for (const refusal of files.error) process.stderr.write(formatExplanation(refusal));
    return 1;
  }
  const all: Played[] = [];
  for (const file of files.value) {
    const played = await play(file, { seed, isReal: values.real });
    all.push(played);
    if (values.output === "json") continue;
    process.stdout.write(played.reports.map(formatScenarioReport).join(""));
    if (values.real && isOnlySimulated(file)) process.stdout.write("     left out for real: only the simulator can cut the link\n");
    else if (values.real && played.differences.length === 0) process.stdout.write("     both worlds agree\n");
    for (const difference of played.differences) process.stdout.write(`     DIFFERS ${difference}\n`);
  }
  if (values.output === "json") {
    const json = all.map(({ reports, differences }) => ({ reports: reports.map(scenarioReportJson), differences }));
    process.stdout.write(`${JSON.stringify({ seed, scenarios: json }, null, 2)}\n`);
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ rows: rowsOf(all) }, null, 2)}\n`);
  return all.every(({ reports, differences }) => differences.length === 0 && reports.every(({ isAsStated }) => isAsStated)) ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    endRealStages();
    process.exit(130);
  });
}
try {
  process.exitCode = await main();
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n${USAGE}`);
  process.exitCode = 2;
}
