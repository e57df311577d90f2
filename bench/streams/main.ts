import { writeFileSync } from "node:fs";
import type { Bench } from "../failover/bench.ts";
import { benchProfile } from "../failover/bench-manifests.ts";
import { MachineControl } from "../failover/machine-control.ts";
import { Progress } from "../failover/progress.ts";
import { formatTable, toJson, verdictOf, type RowResult } from "../failover/report.ts";
import { runAbortRow } from "./abort-row.ts";
import { openBench, runFaultRow, type Stage } from "./fault-rows.ts";
import { openScene, runHandoverRow } from "./handover-row.ts";
import { countOf, isFaultRow, isTimed, parseOptions, USAGE, type RowName } from "./options.ts";
import { runSimulatedRow } from "./simulated-row.ts";
import { runStormRow } from "./storm-row.ts";

/**
 * The rows in their order. The platform runs from the first row that needs it to the last of them.
 * @param results what is over stands there, also when a later row breaks.
 */
async function runRows(stage: Stage, results: RowResult[]): Promise<void> {
  const { options, progress, control } = stage;
  let bench: Bench | null = null;
  for (const row of options.rows) {
    if (isFaultRow(row)) bench ??= await openBench(stage);
    else {
      await bench?.platform.stop({ keepsFiles: options.keepsFiles });
      bench = null;
    }
    await control.begin();
    const result = await runRow(stage, bench, row);
    const reading = await control.read();
    const judged = { ...result, control: isTimed(row) ? reading : null };
    results.push(judged);
    progress.line(`${row}: ${verdictOf(judged)} (idle loop lag p99 ${reading.loopLagP99Ms?.toFixed(1)} ms)`);
    for (const note of result.notes) progress.line(`  ${note}`);
  }
  await bench?.platform.stop({ keepsFiles: options.keepsFiles });
}

function show(results: readonly RowResult[], json: string | null): void {
  if (results.length === 0) return;
  process.stdout.write(`\n${formatTable(results)}\n`);
  if (json !== null) writeFileSync(json, toJson(results, { node: process.version, engineProfile: benchProfile() }));
}

async function runRow(stage: Stage, bench: Bench | null, row: RowName): Promise<RowResult> {
  const { options, progress } = stage;
  const count = countOf(row, options);
  if (row === "aborts") return runAbortRow(count, options.seed, progress);
  if (row === "storm") return runStormRow(count, progress);
  if (row === "handover") {
    const scene = await openScene(stage);
    const result = await runHandoverRow(scene, count);
    await scene.bench.platform.stop({ keepsFiles: options.keepsFiles });
    return result;
  }
  if (!isFaultRow(row)) return runSimulatedRow(count, options.seed, progress);
  if (bench === null) throw new Error(`${row} needs the platform.`);
  return runFaultRow(bench, row, count);
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  const stage: Stage = { options, progress: new Progress(), control: new MachineControl(), started: new Set(), loads: new Set() };
  const endAtOnce = (keepsFiles: boolean): void => {
    for (const load of stage.loads) load.kill();
    for (const platform of stage.started) platform.endAtOnce({ keepsFiles });
    stage.control.stop();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => {
      endAtOnce(options.keepsFiles);
      process.exit(130);
    });
  let keepsFiles = true;
  const results: RowResult[] = [];
  try {
    await runRows(stage, results);
    keepsFiles = options.keepsFiles;
    return results.every((result) => verdictOf(result) === "pass") ? 0 : 1;
  } finally {
    endAtOnce(keepsFiles);
    show(results, options.json);
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
