import { untilSent, type Bench } from "./bench.ts";
import { injectFault, removeFaults } from "./engine-fault.ts";
import { runFaultRow, type Injected, type Victim } from "./fault-row.ts";
import type { LoadClient } from "./load.ts";
import { usualMix, wholeAnswersMix } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import { isWhole, type SeenInstance, type SeenService } from "./platform-status.ts";
import { isSameProcess, seeProcess, signal, type SeenProcess } from "./process-table.ts";
import { atMost, type RowResult } from "./report.ts";
import { largest } from "./statistics.ts";

export const MIXED = "bench-mixed";
export const ANSWERS = "bench-answers";

const HANG_FOR_MS = 60_000;
const CONVERGED_WITHIN_MS = 2_000;

function see(victim: Victim): SeenProcess {
  const seen = seeProcess(victim.pid);
  if (seen === null) throw new Error(`${victim.name} has pid ${victim.pid}, and no such process runs.`);
  return seen;
}

async function injectKill(victim: Victim): Promise<Injected> {
  const seen = see(victim);
  const atMs = monotonicMs();
  signal(seen, "SIGKILL");
  return { atMs, undo: () => undefined };
}

async function injectStop(victim: Victim): Promise<Injected> {
  const seen = see(victim);
  const atMs = monotonicMs();
  signal(seen, "SIGSTOP");
  return { atMs, undo: () => void signal(seen, "SIGCONT") };
}

async function injectHang(victim: Victim): Promise<Injected> {
  const atMs = monotonicMs();
  await injectFault(victim.endpoint, { kind: "hang" }, HANG_FOR_MS);
  return { atMs, undo: () => removeFaults(victim.endpoint) };
}

export const runSigkillRow = (bench: Bench, rounds: number): Promise<RowResult> =>
  runFaultRow(bench, { row: "sigkill-hot", rounds, tenant: MIXED, mix: usualMix, p99MaxMs: 250, mostMaxMs: 1_000, inject: injectKill });

export const runSigstopRow = (bench: Bench, rounds: number): Promise<RowResult> =>
  runFaultRow(bench, { row: "sigstop-hot", rounds, tenant: MIXED, mix: usualMix, p99MaxMs: 1_500, mostMaxMs: null, inject: injectStop });

export const runSigstopAnswersRow = (bench: Bench, rounds: number): Promise<RowResult> =>
  runFaultRow(bench, {
    row: "sigstop-hot-answers",
    rounds,
    tenant: ANSWERS,
    mix: wholeAnswersMix,
    p99MaxMs: 1_500,
    mostMaxMs: null,
    inject: injectStop,
  });

export const runHangRow = (bench: Bench, rounds: number): Promise<RowResult> =>
  runFaultRow(bench, { row: "hang", rounds, tenant: MIXED, mix: usualMix, p99MaxMs: 2_500, mostMaxMs: null, inject: injectHang });

interface ControlPlaneLog {
  readonly convergedMs: number[];
  survivors: readonly SeenProcess[];
  /** The status that the dead control plane left behind still names it. */
  victimPid: number;
  reloads: number;
  strangers: number;
}

/** kill -9 of the control plane, then of hot-1, then `up` again. */
export async function runControlPlaneRow(bench: Bench, rounds: number): Promise<RowResult> {
  const log: ControlPlaneLog = { convergedMs: [], survivors: [], victimPid: 0, reloads: 0, strangers: 0 };
  const inject = async (victim: Victim, load: LoadClient): Promise<Injected> => {
    const controlPlane = bench.platform.controlPlane();
    if (controlPlane === null) throw new Error("No control plane runs.");
    log.survivors = bench.platform.engines().filter(({ pid }) => pid !== victim.pid);
    log.victimPid = victim.pid;
    signal(controlPlane, "SIGKILL");
    await untilSent(load, 15);
    return injectKill(victim);
  };
  const beforeWhole = async (load: LoadClient, injected: Injected): Promise<void> => {
    await load.until(() => load.settledBeforeMs > injected.atMs + 500, 10_000);
    const startedAtMs = monotonicMs();
    bench.platform.up();
    const isReplaced = ({ pid }: SeenInstance): boolean => pid !== log.victimPid;
    const isConverged = (service: SeenService): boolean => isWhole(service) && service.instances.every(isReplaced);
    const wholeAtMs = await bench.platform.until((services) => services.length > 0 && services.every(isConverged), 10_000);
    log.convergedMs.push(wholeAtMs === null ? Number.POSITIVE_INFINITY : wholeAtMs - startedAtMs);
    log.reloads += log.survivors.filter((seen) => !isSameProcess(seen)).length;
    log.strangers += countStrangers(bench, (await bench.platform.services())?.flatMap(({ instances }) => instances) ?? []);
  };
  return runFaultRow(bench, {
    row: "control-plane-kill",
    rounds,
    tenant: MIXED,
    mix: usualMix,
    p99MaxMs: 250,
    mostMaxMs: 1_000,
    inject,
    beforeWhole,
    moreNotes: () => [`converged after, in ms from the start of the command: ${log.convergedMs.map((ms) => ms.toFixed(0)).join(" ")}`],
    moreBars: () => [
      atMost("Ready engines that lost their process", log.reloads, { max: 0, unit: "engines" }),
      atMost("orphans and second engines", log.strangers, { max: 0, unit: "engines" }),
      atMost("converged after the restart, largest", largest(log.convergedMs), { max: CONVERGED_WITHIN_MS, unit: "ms" }),
    ],
  });
}

/** Engine processes beyond the one that each instance's status names. */
function countStrangers(bench: Bench, instances: readonly SeenInstance[]): number {
  const known = new Set(instances.map(({ pid }) => pid));
  return bench.platform.engines().filter(({ pid }) => !known.has(pid)).length;
}
