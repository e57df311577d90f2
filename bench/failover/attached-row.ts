import { spawn } from "node:child_process";
import { once } from "node:events";
import { describeLost, MODEL, RATE_PER_SECOND, startLoad, stopLoad, untilSent, type Bench } from "./bench.ts";
import { benchEngineArguments } from "./bench-manifests.ts";
import { isCounted, isLost, judgeRound, type FaultWindow } from "./judge.ts";
import type { LoadClient } from "./load.ts";
import { usualMix } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import { COMMAND, freePort, Platform } from "./platform.ts";
import { seeProcess, signal, type SeenProcess } from "./process-table.ts";
import { atLeast, atMost, type RowResult } from "./report.ts";
import { percentile } from "./statistics.ts";
import { takeReferences } from "./take-references.ts";

const NAMES = ["a", "b"] as const;
const TENANT = "default";
const SERVES_WITHIN_MS = 20_000;

/** Engines that the bench runs itself, as somebody else would. */
class OwnEngines {
  readonly #running = new Map<string, SeenProcess>();
  readonly #ports: ReadonlyMap<string, number>;

  constructor(ports: ReadonlyMap<string, number>) {
    this.#ports = ports;
  }

  urlOf(name: string): string {
    return `http://127.0.0.1:${this.#ports.get(name)}`;
  }

  async start(name: string): Promise<void> {
    const sizes = ["--weights-bytes", "1000000000", "--context-length", "40960", "--memory-bytes", "70000000000"];
    const place = ["--gpu", "own/0", "--load-link", "disk", "--host", "127.0.0.1", "--port", `${this.#ports.get(name)}`];
    const identity = ["engine", "--instance", name, "--model", MODEL, "--revision", "r1"];
    const child = spawn(process.execPath, [COMMAND, ...identity, ...place, ...sizes, ...benchEngineArguments()], {
      stdio: "ignore",
      detached: true,
    });
    await once(child, "spawn");
    child.unref();
    const seen = child.pid === undefined ? null : seeProcess(child.pid);
    if (seen !== null) this.#running.set(name, seen);
  }

  kill(name: string): void {
    const seen = this.#running.get(name);
    if (seen !== undefined) signal(seen, "SIGKILL");
  }

  killAll(): void {
    for (const name of NAMES) this.kill(name);
  }
}

export interface AttachedWorld {
  readonly bench: Bench;
  readonly engines: OwnEngines;
}

/** A platform of its own that fronts two engines which it did not start. */
export async function openAttachedWorld(
  base: Omit<Bench, "platform" | "references" | "noFailover">,
  opened: (world: { platform: Platform; engines: OwnEngines }) => void,
): Promise<AttachedWorld> {
  const engines = new OwnEngines(
    new Map([
      ["a", await freePort()],
      ["b", await freePort()],
    ]),
  );
  for (const name of NAMES) await engines.start(name);
  const platform = await Platform.start(NAMES.flatMap((name) => ["--attach", `${name}=${engines.urlOf(name)}`]));
  opened({ platform, engines });
  const target = await platform.untilServes(TENANT, MODEL, SERVES_WITHIN_MS);
  const references = await takeReferences(target, MODEL);
  return { engines, bench: { ...base, platform, references, noFailover: null } };
}

const seesBoth = (load: LoadClient, sinceMs: number): boolean =>
  NAMES.every((name) =>
    load.records.some((record) => record.instance === name && record.arrivedAtMs > sinceMs && record.outcome === "complete"),
  );

/** kill -9 of one of two attached engines; the bench, not the platform, starts it again. */
export async function runAttachedRow(world: AttachedWorld, rounds: number): Promise<RowResult> {
  const { bench, engines } = world;
  const load = await startLoad(bench, { tenant: TENANT, mix: usualMix, pace: { kind: "open", ratePerSecond: RATE_PER_SECOND } });
  const faults: FaultWindow[] = [];
  const problems: string[] = [];
  let counted = 0;
  for (let tries = 0; tries < rounds * 2 && counted < rounds && problems.length === 0; tries += 1) {
    const fromMs = monotonicMs();
    if (!(await load.until(() => seesBoth(load, fromMs), SERVES_WITHIN_MS))) {
      problems.push("not both attached engines answer");
      break;
    }
    bench.control.calmMoment();
    await untilSent(load, 30);
    const atMs = monotonicMs();
    engines.kill("a");
    const previous = faults.pop();
    if (previous !== undefined) faults.push({ ...previous, untilMs: atMs });
    faults.push({ atMs, instance: "a", untilMs: Number.POSITIVE_INFINITY, resumedAtMs: null });
    await untilSent(load, 40);
    await load.until(() => load.settledBeforeMs > atMs + 500, SERVES_WITHIN_MS);
    const round = judgeRound(load.records, faults.at(-1) ?? { atMs, instance: "a", untilMs: 0, resumedAtMs: null }, bench.model);
    if (isCounted(round, true)) counted += 1;
    bench.progress.update(`attached ${counted}/${rounds}: affected ${round.beforeFirstByte} + ${round.midStream} mid-stream`);
    await engines.start("a");
  }
  await stopLoad(bench, load);
  const judged = faults.map((fault) => judgeRound(load.records, fault, bench.model)).filter((round) => isCounted(round, true));
  const lost = load.records.filter((record) => isLost(record, faults));
  const recoveries = judged.flatMap(({ affected }) => affected.map(({ recoveryMs }) => recoveryMs));
  const nearest = (record: { readonly endedAtMs: number }): number => faults.findLast(({ atMs }) => atMs <= record.endedAtMs)?.atMs ?? 0;
  return {
    row: "attached",
    n: judged.length,
    bars: [
      atLeast("rounds that count", judged.length, { min: rounds, unit: "rounds" }),
      atMost("requests lost", lost.length, { max: 0, unit: "requests" }),
    ],
    notes: [
      `recovery less prefill p50 ${(percentile(recoveries, 0.5) ?? 0).toFixed(0)} ms, p99 ${(percentile(recoveries, 0.99) ?? 0).toFixed(0)} ms`,
      ...problems,
      ...describeLost(lost, nearest),
    ],
    control: null,
  };
}
