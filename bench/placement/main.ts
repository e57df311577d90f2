// Placement policies on the openb trace, beside what the FGD paper published. docs/placement-bench.md says what each row is.
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { commitName } from "../../src/cmd/campaign-parts.ts";
import { Progress } from "../failover/progress.ts";
import { makeArrivals } from "./arrivals.ts";
import { departureRows, gangRows } from "./departure-rows.ts";
import { parseOptions, USAGE, type BenchOptions } from "./options.ts";
import type { PolicyName } from "./policies.ts";
import { plannerRows } from "./planner-rows.ts";
import { readPublished, type Published } from "./published.ts";
import { readNodes, readTrace, traceNames } from "./read-openb.ts";
import { judgeRuns, meanOf, type PlacementRow, type PolicyRuns } from "./rows.ts";
import { migRows } from "./mig-rows.ts";
import { reserveRows } from "./reserve-rows.ts";
import { operationRows } from "./operation-rows.ts";
import { partitionRows } from "./partition-row.ts";
import { LOADS } from "./replay-log.ts";
import { runTrace, type RunOutcome } from "./run-trace.ts";

function runAll(options: BenchOptions, progress: Progress): readonly PolicyRuns[] {
  const known = traceNames(options.dir);
  const traces = options.traces ?? known;
  const unknown = traces.find((trace) => !known.includes(trace));
  if (unknown !== undefined) throw new Error(`--traces: ${options.dir} has no ${unknown}; it has ${known.join(", ")}.`);
  const nodes = readNodes(options.dir);
  const capacityMilli = nodes.reduce((sum, { gpuCount }) => sum + 1_000 * gpuCount, 0);
  const results: PolicyRuns[] = [];
  for (const name of traces) {
    const { pods } = readTrace(options.dir, name);
    const runs = new Map<PolicyName, RunOutcome[]>(options.policies.map((policy) => [policy, []]));
    for (const seed of options.seeds) {
      const arrivals = makeArrivals(pods, capacityMilli, seed);
      for (const [policy, outcomes] of runs) {
        progress.update(`${name}, seed ${seed}, ${policy}`);
        outcomes.push(runTrace({ nodes, pods, arrivals, policy, seed }));
      }
    }
    for (const [policy, outcomes] of runs) results.push({ trace: name, policy, runs: outcomes });
    progress.line(`${name}: ${[...runs].map(([policy, outcomes]) => `${policy} ${describe(outcomes)}`).join(", ")}`);
  }
  return results;
}

/** Mean [least-most] of the allocation at 100 % load. */
function describe(outcomes: readonly RunOutcome[]): string {
  const values = outcomes.map(({ at }) => at[100].allocation ?? Number.NaN);
  return `${meanOf(values).toFixed(2)} [${Math.min(...values).toFixed(2)}-${Math.max(...values).toFixed(2)}]`;
}

/** One run again: the same seed must decide the same. */
function repeatRow(options: BenchOptions, [first]: readonly PolicyRuns[]): readonly PlacementRow[] {
  const [seed] = options.seeds;
  const last = options.policies.at(-1);
  if (first === undefined || seed === undefined || last === undefined) return [];
  const nodes = readNodes(options.dir);
  const { pods } = readTrace(options.dir, first.trace);
  const arrivals = makeArrivals(
    pods,
    nodes.reduce((sum, { gpuCount }) => sum + 1_000 * gpuCount, 0),
    seed,
  );
  const hashes = new Set([1, 2].map(() => runTrace({ nodes, pods, arrivals, policy: last, seed }).logHash));
  return [
    {
      name: `different logs of two runs, ${first.trace} ${last} seed ${seed}`,
      value: hashes.size - 1,
      unit: "logs",
      must: "<= 0",
      pass: hashes.size === 1,
    },
  ];
}

function printCurves(results: readonly PolicyRuns[], published: Published): void {
  process.stdout.write(
    `\nAllocation % at ${LOADS.join(" / ")} % load; fragmentation % of all GPUs, of idle GPUs, at 100 %; published at 100 %\n`,
  );
  for (const { trace, policy, runs } of results) {
    const curve = LOADS.map((load) => meanOf(runs.map(({ at }) => at[load].allocation ?? Number.NaN)).toFixed(2)).join(" ");
    const ofAll = meanOf(runs.map(({ at }) => at[100].fragmentationOfAll ?? Number.NaN)).toFixed(2);
    const ofIdle = meanOf(runs.map(({ at }) => at[100].fragmentationOfIdle ?? Number.NaN)).toFixed(2);
    const theirs = published(trace, policy, 100)?.toFixed(2) ?? "-";
    process.stdout.write(`${trace.padEnd(12)} ${policy.padEnd(14)} ${curve}  ${ofAll} ${ofIdle}  ${theirs}\n`);
  }
}

function printRows(rows: readonly PlacementRow[]): void {
  const shown = (value: number | null): string => (value === null ? "none" : `${Number(value.toFixed(2))}`);
  process.stdout.write("\n");
  for (const { name, value, unit, must, pass } of rows)
    process.stdout.write(
      `${name.padEnd(52)} ${shown(value).padStart(10)} ${unit.padEnd(10)} ${must.padEnd(28)} ${pass ? "pass" : "FAIL"}\n`,
    );
}

const NOTHING_PUBLISHED: Published = () => null;
const OPERATION_SEED = 1;

function main(): number {
  const options = parseOptions(process.argv.slice(2), process.env.TIDEGATE_DATA_DIR);
  if (options === "help") {
    process.stderr.write(USAGE);
    return 0;
  }
  const progress = new Progress();
  const published = options.dir === "" ? NOTHING_PUBLISHED : readPublished(options.dir);
  const results = options.rows.includes("allocation") ? runAll(options, progress) : [];
  const rows = [
    ...(results.length > 0 ? [...judgeRuns(results, published), ...repeatRow(options, results)] : []),
    ...(options.rows.includes("partitions") ? partitionRows() : []),
    ...(options.rows.includes("operations") ? operationRows(progress, OPERATION_SEED) : []),
    ...(options.rows.includes("departures") ? departureRows(options, progress) : []),
    ...(options.rows.includes("mig") ? migRows(options.seeds, progress) : []),
    ...(options.rows.includes("gangs") ? gangRows(options, progress) : []),
    ...(options.rows.includes("reserves") ? reserveRows(options, progress) : []),
    ...(options.rows.includes("planner") ? plannerRows(options, progress) : []),
  ];
  if (results.length > 0) printCurves(results, published);
  printRows(rows);
  const machine = { commit: commitName(), node: process.version, processor: cpus()[0]?.model ?? "unknown", seeds: options.seeds };
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify({ rows, machine, runs: results }, null, 1)}\n`);
  return rows.every(({ pass }) => pass) ? 0 : 1;
}

try {
  process.exitCode = main();
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n${USAGE}`);
  process.exitCode = 2;
}
