import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { openAttachedWorld, runAttachedRow } from "./attached-row.ts";
import { MODEL, RATE_PER_SECOND, type Bench } from "./bench.ts";
import { benchProfile, manifestsOf, tenantsOf, WORLD_NAMES, type WorldName } from "./bench-manifests.ts";
import { runSplitRow, runSteadyRow } from "./calm-rows.ts";
import { CONTROLLED_ROWS, hasFailedAsItMust, runControlRow, runWithoutFailover } from "./control-row.ts";
import { capacityPerSecond, steadyState, survivorLoadRatio, type EngineProfile } from "./engine-profile.ts";
import { runControlPlaneRow, runHangRow, runSigkillRow, runSigstopAnswersRow, runSigstopRow } from "./engine-rows.ts";
import { runCrashRow } from "./crash-row.ts";
import { runGatewayRow } from "./gateway-row.ts";
import { runAllGpusRow, runZoneRow } from "./gpu-loss-rows.ts";
import { runHoldRow } from "./hold-row.ts";
import { runAsleepRow, runHotAndWarmRow, runResidentRow, runWakeRow } from "./ladder-rows.ts";
import { MachineControl, ZONE_LOOP_LAG_P99_MAX_MS } from "./machine-control.ts";
import { runMirrorRow } from "./mirror-row.ts";
import { usualMix } from "./mix.ts";
import { parseOptions, roundsOf, USAGE, type BenchOptions, type RowName } from "./options.ts";
import { Platform } from "./platform.ts";
import { Progress } from "./progress.ts";
import { formatTable, toJson, verdictOf, type RowResult } from "./report.ts";
import { runSaturationRow } from "./saturation-row.ts";
import { takeReferences } from "./take-references.ts";

const SURVIVOR_LOAD_RATIO_MAX = 0.7;
const READY_WITHIN_MS = 30_000;
/** A void row is run again this often, and never passed. A quick bench proves nothing either way, and runs each row once. */
const RERUNS_MAX = 2;

interface Runner {
  /** The platform that it runs on, with others of the same. */
  readonly world: WorldName;
  readonly run: (bench: Bench, rounds: number) => Promise<RowResult>;
  /** Absent = as usual. */
  readonly loopLagP99MaxMs?: number;
}

const WITH = true;
const WITHOUT = false;
const RUNNERS: Readonly<Record<Exclude<RowName, "attached">, Runner>> = {
  "sigkill-hot": { world: "usual", run: runSigkillRow },
  "sigstop-hot": { world: "usual", run: runSigstopRow },
  "sigstop-hot-answers": { world: "usual", run: runSigstopAnswersRow },
  hang: { world: "usual", run: runHangRow },
  "steady-95": { world: "usual", run: runSteadyRow },
  "control-plane-kill": { world: "usual", run: runControlPlaneRow },
  "gateway-kill": { world: "usual", run: runGatewayRow },
  "split-80-20": { world: "usual", run: runSplitRow },
  "both-hot-killed-resident": { world: "usual", run: (bench, rounds) => runResidentRow(bench, rounds, WITH) },
  "both-hot-killed-resident-no-control-plane": { world: "usual", run: (bench, rounds) => runResidentRow(bench, rounds, WITHOUT) },
  control: { world: "usual", run: runControlRow },
  "both-hot-killed-asleep": { world: "asleep", run: (bench, rounds) => runAsleepRow(bench, rounds, WITH) },
  "both-hot-killed-asleep-no-control-plane": { world: "asleep", run: (bench, rounds) => runAsleepRow(bench, rounds, WITHOUT) },
  "wake-garbage": { world: "asleep", run: (bench, rounds) => runWakeRow(bench, rounds, "wake-garbage") },
  "wake-failed": { world: "asleep", run: (bench, rounds) => runWakeRow(bench, rounds, "wake-failed") },
  "wake-slow": { world: "asleep", run: (bench, rounds) => runWakeRow(bench, rounds, "wake-slow") },
  "crash-points": { world: "asleep", run: runCrashRow },
  "hot-and-warm-killed": { world: "cold", run: (bench, rounds) => runHotAndWarmRow(bench, rounds, WITH) },
  "hot-and-warm-killed-no-control-plane": { world: "cold", run: (bench, rounds) => runHotAndWarmRow(bench, rounds, WITHOUT) },
  "all-gpus-lost": { world: "cold", run: (bench, rounds) => runAllGpusRow(bench, rounds, WITH) },
  "all-gpus-lost-no-control-plane": { world: "cold", run: (bench, rounds) => runAllGpusRow(bench, rounds, WITHOUT) },
  "zone-lost": { world: "zone", run: (bench, rounds) => runZoneRow(bench, rounds, WITH), loopLagP99MaxMs: ZONE_LOOP_LAG_P99_MAX_MS },
  "zone-lost-no-control-plane": {
    world: "zone",
    run: (bench, rounds) => runZoneRow(bench, rounds, WITHOUT),
    loopLagP99MaxMs: ZONE_LOOP_LAG_P99_MAX_MS,
  },
  saturation: { world: "overflow", run: (bench) => runSaturationRow(bench, "saturation", "bench-mirror") },
  mirror: { world: "overflow", run: runMirrorRow },
  "saturation-asleep": { world: "overflow-asleep", run: (bench) => runSaturationRow(bench, "saturation-asleep", "bench-gold") },
  hold: { world: "hold", run: (bench) => runHoldRow(bench) },
};

/** What must be gone when the bench ends, however it ends. */
class Started {
  readonly platforms = new Set<Platform>();
  readonly loads: Bench["loads"] = new Set();
  readonly others = new Set<() => void>();

  endAtOnce(options: { readonly keepsFiles: boolean }): void {
    for (const load of this.loads) load.kill();
    for (const platform of this.platforms) platform.endAtOnce(options);
    for (const end of this.others) end();
  }
}

interface Session {
  readonly options: BenchOptions;
  readonly progress: Progress;
  readonly profile: EngineProfile;
  readonly control: MachineControl;
  readonly started: Started;
}

function describeMachine(profile: EngineProfile): Readonly<Record<string, unknown>> {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryBytes: totalmem(),
    node: process.version,
    engineProfile: profile,
    requestsPerSecond: RATE_PER_SECOND,
    oneEngineCapacityPerSecond: capacityPerSecond(profile, usualMix),
    survivorLoadRatio: survivorLoadRatio(profile, usualMix, RATE_PER_SECOND),
  };
}

function printHead(session: Session): void {
  const { progress, profile } = session;
  const processors = cpus();
  const steady = steadyState(profile, usualMix, RATE_PER_SECOND);
  progress.line(
    `machine: ${processors.length} x ${processors[0]?.model.trim()}, ${(totalmem() / 1e9).toFixed(0)} GB, Node ${process.version}`,
  );
  progress.line(
    `engine: batch ${profile.batchMax}, step ${profile.stepBaseMs} ms + ${profile.stepPerSequenceMs} ms x batch, ` +
      `prefill ${profile.prefillTokensPerSecond} tokens/s in chunks of ${profile.prefillChunkTokens}`,
  );
  const ratio = survivorLoadRatio(profile, usualMix, RATE_PER_SECOND);
  progress.line(
    `load: ${RATE_PER_SECOND} requests/s, 60 % streams; one engine can finish ${capacityPerSecond(profile, usualMix).toFixed(1)}/s, ` +
      `so a survivor runs at ${(100 * ratio).toFixed(0)} % (step ${steady.stepMs.toFixed(1)} ms, batch ${steady.batch.toFixed(0)})`,
  );
  if (ratio > SURVIVOR_LOAD_RATIO_MAX) {
    throw new Error(
      `One survivor would run at ${(100 * ratio).toFixed(0)} %, over 70 %: make the bench's engines faster in examples/bench.`,
    );
  }
}

async function openBench(session: Session, world: WorldName): Promise<Bench> {
  const { progress, started, options } = session;
  const [first, ...others] = tenantsOf(world);
  if (first === undefined) throw new Error(`The world ${world} has no tenant.`);
  progress.line(`starts the platform with ${[first, ...others].join(", ")}`);
  const platform = await Platform.start(manifestsOf(world));
  started.platforms.add(platform);
  if ((await platform.untilWhole(READY_WITHIN_MS)) === null)
    throw new Error(`The platform is not at rest: see ${platform.dataDir}/up.log.`);
  const target = await platform.untilServes(first, MODEL, READY_WITHIN_MS);
  for (const tenant of others) await platform.untilServes(tenant, MODEL, READY_WITHIN_MS);
  const references = await takeReferences(target, MODEL);
  progress.line(`every instance is in place; ${references.length} reference answers taken`);
  return { ...baseOf(session), seed: options.seed, platform, references, noFailover: null };
}

function baseOf(session: Session): Omit<Bench, "platform" | "references" | "noFailover"> {
  const { progress, profile, options, started, control } = session;
  const survivor = steadyState(profile, usualMix, RATE_PER_SECOND);
  return { progress, model: { profile, survivor }, seed: options.seed, control, loads: started.loads };
}

/** Runs a row, again while the machine's own control does not hold. */
async function runRow(session: Session, run: () => Promise<RowResult>, loopLagP99MaxMs?: number): Promise<RowResult> {
  for (let rerun = 0; ; rerun += 1) {
    await session.control.begin();
    const result = { ...(await run()), control: await session.control.read(loopLagP99MaxMs) };
    const verdict = verdictOf(result);
    const { loopLagP99Ms, spawnP50Ms, spawnP99Ms, spawns, spawnUnderLoadP99Ms } = result.control;
    const machine = `idle loop lag p99 ${loopLagP99Ms?.toFixed(1)} ms, empty Node p50 ${spawnP50Ms?.toFixed(0)}, p99 ${spawnP99Ms?.toFixed(0)} ms of ${spawns}, under load ${spawnUnderLoadP99Ms?.toFixed(0) ?? "-"} ms`;
    session.progress.line(`${result.row}: ${verdict} (${machine})`);
    for (const note of result.notes) session.progress.line(`  ${note}`);
    if (verdict !== "void" || session.options.isQuick || rerun === RERUNS_MAX) return result;
    session.progress.line(`${result.row}: void, the machine itself was too slow for absolute bars; runs again`);
  }
}

async function runAttached(session: Session, rounds: number): Promise<RowResult> {
  const { started, options } = session;
  let end: () => void = () => undefined;
  const world = await openAttachedWorld(baseOf(session), ({ platform, engines }) => {
    started.platforms.add(platform);
    end = () => engines.killAll();
    started.others.add(end);
  });
  const result = await runRow(session, () => runAttachedRow(world, rounds));
  await world.bench.platform.stop({ keepsFiles: options.keepsFiles });
  end();
  return result;
}

async function runAll(session: Session): Promise<readonly RowResult[]> {
  const { options } = session;
  const results: RowResult[] = [];
  const rows = options.isControl ? options.rows.filter((row) => CONTROLLED_ROWS.includes(row)) : options.rows;
  for (const world of WORLD_NAMES) {
    const own = rows.filter((row) => row !== "attached").filter((row) => RUNNERS[row].world === world);
    if (own.length > 0) results.push(...(await runWorld(session, world, own)));
  }
  if (rows.includes("attached")) results.push(await runAttached(session, roundsOf("attached", options)));
  return results;
}

/** Rows that share a platform: it is started for them and ended after them. */
async function runWorld(session: Session, world: WorldName, rows: readonly Exclude<RowName, "attached">[]): Promise<readonly RowResult[]> {
  const { options, started } = session;
  const results: RowResult[] = [];
  const bench = await openBench(session, world);
  for (const row of rows) {
    const rounds = options.isControl ? roundsOf("control", options) : roundsOf(row, options);
    const run = async (): Promise<RowResult> => {
      const controlled = options.isControl ? await runWithoutFailover(bench, row, rounds) : null;
      return controlled ?? RUNNERS[row].run(bench, rounds);
    };
    results.push(await runRow(session, run, RUNNERS[row].loopLagP99MaxMs));
  }
  await bench.platform.stop({ keepsFiles: options.keepsFiles });
  if (options.keepsFiles) session.progress.line(`the platform's files: ${bench.platform.dataDir}`);
  started.platforms.delete(bench.platform);
  return results;
}

function conclude(session: Session, results: readonly RowResult[]): number {
  const { options, profile } = session;
  process.stdout.write(`\n${formatTable(results)}\n`);
  if (options.json !== null) writeFileSync(options.json, toJson(results, describeMachine(profile)));
  if (options.isControl) {
    const passed = results.filter((result) => !hasFailedAsItMust(result)).map(({ row }) => row);
    const verdict = passed.length === 0 ? "every row failed without failover, as it must" : `did not fail, and must: ${passed.join(", ")}`;
    process.stdout.write(`\ncontrol no-failover: ${verdict}\n`);
  }
  return results.every((result) => verdictOf(result) === "pass") ? 0 : 1;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  const started = new Started();
  const session: Session = { options, started, progress: new Progress(), profile: benchProfile(), control: new MachineControl() };
  started.others.add(() => session.control.stop());
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      started.endAtOnce(options);
      process.exit(130);
    });
  }
  // Of a bench that breaks off, the platform's logs say why.
  let keepsFiles = true;
  try {
    printHead(session);
    const results = await runAll(session);
    keepsFiles = options.keepsFiles;
    return conclude(session, results);
  } finally {
    started.endAtOnce({ keepsFiles });
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
