// How long the control plane's looks take over a large fleet. docs/reconcile-bench.md says what each row is.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore } from "../../src/adapters/cluster-store/memory.ts";
import { openSqliteStore } from "../../src/adapters/cluster-store/sqlite.ts";
import { commitName } from "../../src/cmd/campaign-parts.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { ClusterStore } from "../../src/ports/cluster-store.ts";
import { monotonicMs } from "../failover/monotonic.ts";
import { Progress } from "../failover/progress.ts";
import { startPlatform, type BenchPlatform } from "./bench-platform.ts";
import { fleetDrafts } from "./fleet-drafts.ts";
import { deadInstanceLooks, lookAtAll, nodeLostPasses, serviceAddedPasses, settle, steadyPasses, type Pass } from "./measure.ts";
import { parseOptions, USAGE, type BenchOptions } from "./options.ts";
import { lookRows, passRows, reported, roundRows, type ReconcileRow } from "./rows.ts";

const DEAD_LOOKS_MAX = 200;
/** Loads code that is compiled as it gets hot; the first looks of a process are no measure. */
const WARM_UP_PASSES = 5;
const WARM_UP_DEAD_LOOKS = 20;

async function measureAll(options: BenchOptions, platform: BenchPlatform, progress: Progress): Promise<readonly ReconcileRow[]> {
  const { serviceCount, rounds } = options;
  const startedMs = monotonicMs();
  const cold = await lookAtAll(platform);
  const told = (state: string): void => progress.update(state);
  await settle(platform, told);
  const startMs = monotonicMs() - startedMs;
  progress.line(`started: ${(await platform.launcher.observe()).length} engines`);
  await steadyPasses(platform, WARM_UP_PASSES);
  const steady = await steadyPasses(platform, rounds);
  progress.line("measured: steady");
  const looks = Math.min(WARM_UP_DEAD_LOOKS + DEAD_LOOKS_MAX, serviceCount);
  const deadLooks = await deadInstanceLooks(platform, { looks, services: serviceCount });
  const dead = deadLooks.slice(WARM_UP_DEAD_LOOKS);
  await settle(platform, told);
  progress.line("measured: dead instances");
  const lost: (readonly Pass[])[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    lost.push(await nodeLostPasses(platform));
    await settle(platform, told);
  }
  progress.line("measured: lost nodes");
  const added: (readonly Pass[])[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    added.push(await serviceAddedPasses(platform, serviceCount + round));
    await settle(platform, told);
  }
  return [
    ...lookRows(
      "one service, steady",
      steady.flatMap(({ looksMs }) => looksMs),
    ),
    ...lookRows("one service, an instance dead", dead),
    reported(
      `one service, an instance dead: slowest of the process's first ${WARM_UP_DEAD_LOOKS}`,
      Math.max(...deadLooks.slice(0, WARM_UP_DEAD_LOOKS)),
      "ms",
    ),
    ...passRows("a full pass, steady", steady),
    ...roundRows("a full pass, a node of 8 GPUs lost", lost),
    ...roundRows("a full pass, a service added", added),
    reported("the first pass, everything to be placed", cold.totalMs, "ms"),
    reported("from nothing to all as configured, simulated engines included", startMs / 1_000, "s"),
  ];
}

async function createStore(options: BenchOptions, folder: string, clock: Pick<Clock, "wallMs">): Promise<ClusterStore> {
  if (options.store === "memory") return createMemoryStore(clock);
  const opened = await openSqliteStore(join(folder, "state.db"), clock);
  if (!opened.ok) throw new Error(`The store cannot be opened: ${opened.error.reason}.`);
  return opened.value;
}

function printRows(rows: readonly ReconcileRow[]): void {
  for (const { name, value, unit, must, pass } of rows)
    process.stdout.write(
      `${name.padEnd(66)} ${(value === null ? "none" : value.toFixed(2)).padStart(9)} ${unit.padEnd(3)} ${must.padEnd(10)} ${pass ? "pass" : "FAIL"}\n`,
    );
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") {
    process.stderr.write(USAGE);
    return 0;
  }
  const progress = new Progress();
  const folder = mkdtempSync(join(tmpdir(), "tidegate-reconcile-"));
  try {
    const platform = await startPlatform(fleetDrafts(options), (clock) => createStore(options, folder, clock));
    const rows = await measureAll(options, platform, progress);
    await platform.stop();
    printRows(rows);
    const { store, serviceCount, nodeCount } = options;
    const machine = {
      commit: commitName(),
      node: process.version,
      processor: cpus()[0]?.model ?? "unknown",
      store,
      serviceCount,
      nodeCount,
    };
    if (options.json !== null) writeFileSync(options.json, `${JSON.stringify({ rows, machine }, null, 1)}\n`);
    return rows.every(({ pass }) => pass) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

try {
  process.exitCode = await main();
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n${USAGE}`);
  process.exitCode = 2;
}
