import { MODEL, startLoad, stopLoad, untilSent, WHOLE_WITHIN_MS, type Bench } from "../failover/bench.ts";
import { benchProfile, manifestsOf, tenantsOf } from "../failover/bench-manifests.ts";
import { MIXED } from "../failover/engine-rows.ts";
import { steadyState } from "../failover/engine-profile.ts";
import type { FaultWindow } from "../failover/judge.ts";
import type { MachineControl } from "../failover/machine-control.ts";
import type { Mix } from "../failover/mix.ts";
import { monotonicMs } from "../failover/monotonic.ts";
import { Platform } from "../failover/platform.ts";
import { seeProcess, signal } from "../failover/process-table.ts";
import type { Progress } from "../failover/progress.ts";
import type { RowResult } from "../failover/report.ts";
import { seeded } from "../failover/seeded.ts";
import { takeKinds, takeReferences } from "../failover/take-references.ts";
import { describeFaults } from "./describe.ts";
import { mixBarsOf } from "./judge-mix.ts";
import { barsOf, cutBy } from "./judge-streams.ts";
import type { FaultRowName, StreamOptions } from "./options.ts";

export const CONCURRENT_STREAMS = 50;
const READY_WITHIN_MS = 30_000;
export const SETTLED_WITHIN_MS = 30_000;
/** New streams after all is whole again, so that both engines carry some in all places. */
const STREAMS_BETWEEN = 10;
const STREAMS_SPREAD = 20;
export const MIX: Mix = {
  streamRatio: 1,
  prompts: [128, 2_048, 16_384].map((tokens) => ({ tokens, ratio: 1 / 3 })),
  answerTokensMin: 64,
  answerTokensMax: 128,
};
const KINDS = [
  { kind: "tool", ratio: 0.15 },
  { kind: "json", ratio: 0.15 },
  { kind: "choices", ratio: 0.025 },
  { kind: "logprobs", ratio: 0.025 },
] as const;

interface Row {
  readonly signal: "SIGKILL" | "SIGSTOP";
  readonly gapP99MaxMs: number;
  /** So long after it the gateway has noticed: who comes later does not meet it. */
  readonly noticedMs: number;
  readonly mix: Mix;
  readonly judge: typeof barsOf;
}

/** A stopped engine is found by its silence, which takes a second. */
const ROWS: Readonly<Record<FaultRowName, Row>> = {
  kills: { signal: "SIGKILL", gapP99MaxMs: 300, noticedMs: 300, mix: MIX, judge: barsOf },
  mix: { signal: "SIGKILL", gapP99MaxMs: 300, noticedMs: 300, mix: { ...MIX, kinds: KINDS }, judge: mixBarsOf },
  stops: { signal: "SIGSTOP", gapP99MaxMs: 1_500, noticedMs: 1_500, mix: MIX, judge: barsOf },
};

/** What rows share: progress, the machine's control, and what must be ended with the bench. */
export interface Stage {
  readonly options: StreamOptions;
  readonly progress: Progress;
  readonly control: MachineControl;
  readonly started: Set<Platform>;
  readonly loads: Bench["loads"];
}

/** The platform under its tenants, and the answers that all others are compared with. @param flags of `up`, beside its manifests. */
export async function openBench({ options, progress, control, started, loads }: Stage, flags: readonly string[] = []): Promise<Bench> {
  const profile = benchProfile();
  progress.line(`starts the platform with ${tenantsOf("usual").join(", ")}`);
  const platform = await Platform.start([...manifestsOf("usual"), ...flags]);
  started.add(platform);
  if ((await platform.untilWhole(READY_WITHIN_MS)) === null)
    throw new Error(`The platform is not at rest: see ${platform.dataDir}/up.log.`);
  const target = await platform.untilServes(MIXED, MODEL, READY_WITHIN_MS);
  const plain = await takeReferences(target, MODEL);
  const kinds = options.rows.includes("mix") ? KINDS.map(({ kind }) => kind) : [];
  const references = await takeKinds(plain, { target, model: MODEL, kinds });
  // A survivor carries all of them: so many that its batch is what its steps and its queue are modelled by.
  const survivor = { ...steadyState(profile, MIX, 1), batch: CONCURRENT_STREAMS };
  return { progress, platform, references, control, model: { profile, survivor }, seed: options.seed, noFailover: null, loads };
}

/**
 * The next fault at one of the two hot engines, while streams run at both. None of the streams of the fault before runs any more: two deaths under
 * one request are what a poisonous one looks like (ADR 0016). @returns null when the platform did not become whole.
 */
async function strike(
  bench: Bench,
  row: FaultRowName,
  of: { chance: () => number; previous: FaultWindow | null },
): Promise<FaultWindow | null> {
  const { chance, previous } = of;
  const [load] = bench.loads;
  if (load === undefined) throw new Error("No client runs.");
  if ((await bench.platform.untilWhole(WHOLE_WITHIN_MS)) === null) return null;
  const metBeforeMs = previous === null ? 0 : previous.atMs + ROWS[row].noticedMs;
  if (!(await load.until(() => load.settledBeforeMs > metBeforeMs, SETTLED_WITHIN_MS))) return null;
  await untilSent(load, STREAMS_BETWEEN + Math.floor(chance() * STREAMS_SPREAD));
  const name = `${MIXED}-hot-${chance() < 0.5 ? 1 : 2}`;
  const pid = (await bench.platform.instance(name))?.pid ?? null;
  const seen = pid === null ? null : seeProcess(pid);
  if (seen === null) return null;
  const atMs = monotonicMs();
  signal(seen, ROWS[row].signal);
  return { atMs, instance: name, untilMs: Number.POSITIVE_INFINITY, resumedAtMs: null };
}

/** Strikes one of the two hot engines, again and again, under fifty streams. */
export async function runFaultRow(bench: Bench, row: FaultRowName, faultCount: number): Promise<RowResult> {
  const load = await startLoad(bench, { tenant: MIXED, mix: ROWS[row].mix, pace: { kind: "closed", inFlight: CONCURRENT_STREAMS } });
  const chance = seeded(bench.seed + 1);
  const faults: FaultWindow[] = [];
  const problems: string[] = [];
  let met = 0;
  const triesMax = Math.ceil(faultCount * 1.2) + 3;
  for (let tries = 0; tries < triesMax && met < faultCount && problems.length === 0; tries += 1) {
    const fault = await strike(bench, row, { chance, previous: faults.at(-1) ?? null });
    const previous = faults.pop();
    if (previous !== undefined) {
      const closed = { ...previous, untilMs: fault?.atMs ?? Number.POSITIVE_INFINITY };
      faults.push(closed);
      if (cutBy(load.records, closed).length > 0) met += 1;
    }
    if (fault === null) problems.push("not every instance became Ready again");
    else faults.push(fault);
    const incomplete = load.records.filter(({ outcome }) => outcome !== "complete").length;
    bench.progress.update(`${row}: ${met} of ${faultCount} faults met streams, ${load.records.length} streams, ${incomplete} not complete`);
  }
  const nowMs = monotonicMs();
  await load.until(() => load.settledBeforeMs > nowMs, SETTLED_WITHIN_MS);
  await stopLoad(bench, load);
  const { gapP99MaxMs, judge } = ROWS[row];
  const bars = judge(load.records, faults, { bars: { faults: faultCount, gapP99MaxMs }, model: bench.model });
  const notes = [...problems, ...describeFaults(load.records, faults)];
  return { row, n: faults.length, bars, notes, control: null };
}
