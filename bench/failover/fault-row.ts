import {
  describeLost,
  describeSlowest,
  instanceOf,
  RATE_PER_SECOND,
  startLoad,
  stopLoad,
  untilSent,
  WHOLE_WITHIN_MS,
  type Bench,
} from "./bench.ts";
import { isCounted, isLost, judgeRound, type FaultWindow, type Round } from "./judge.ts";
import type { LoadClient } from "./load.ts";
import type { Mix } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import { isWhole, type SeenInstance } from "./platform-status.ts";
import { atLeast, atMost, type Bar, type RowResult } from "./report.ts";
import { seeded } from "./seeded.ts";
import { largest, percentile } from "./statistics.ts";

export type Victim = SeenInstance & { readonly pid: number; readonly endpoint: string };

export interface Injected {
  readonly atMs: number;
  /** Lets the failed process go on, when nobody has replaced it. */
  readonly undo: () => Promise<void> | void;
}

export interface FaultRowSpec {
  readonly row: string;
  readonly rounds: number;
  readonly tenant: string;
  readonly mix: Mix;
  readonly p99MaxMs: number;
  /** null = the row has no bar for the largest. */
  readonly mostMaxMs: number | null;
  readonly inject: (victim: Victim, load: LoadClient) => Promise<Injected>;
  /** What the round does before it waits for every instance. */
  readonly beforeWhole?: (load: LoadClient, injected: Injected) => Promise<void>;
  readonly moreBars?: () => readonly Bar[];
  readonly moreNotes?: () => readonly string[];
}

// The negative control's platform may never find out: continue the engine when the bar is long broken.
const RESUME_AFTER_MS = { failover: 10_000, noFailover: 4_000 };
// Over a second at 50 requests/s, so that batch and round trips are usual again; the spread moves the fault within the engine's steps.
const WARM_UP_REQUESTS = 60;
const WARM_UP_SPREAD_REQUESTS = 20;
const SETTLED_WITHIN_MS = 25_000;

interface FaultLog {
  readonly faults: FaultWindow[];
  readonly wholeAfterMs: number[];
  readonly problems: string[];
  /** Requests sent when the last fault was mended: the next warm-up counts from there. */
  sentAtWhole: number;
}

/** Rounds of one fault on `<tenant>-hot-1` under the usual load, on one running platform. */
export async function runFaultRow(bench: Bench, spec: FaultRowSpec): Promise<RowResult> {
  const load = await startLoad(bench, { tenant: spec.tenant, mix: spec.mix, pace: { kind: "open", ratePerSecond: RATE_PER_SECOND } });
  const log: FaultLog = { faults: [], wholeAfterMs: [], problems: [], sentAtWhole: load.sent };
  const chance = seeded(bench.seed + 1);
  let counted = 0;
  const triesMax = Math.ceil(spec.rounds * 1.25) + 3;
  for (let tries = 0; tries < triesMax && counted < spec.rounds && log.problems.length === 0; tries += 1) {
    await runRound(bench, spec, { load, log, chance });
    const fault = log.faults.at(-1);
    if (fault === undefined) break;
    const round = judgeRound(load.records, fault, bench.model);
    if (isCounted(round, spec.mix.streamRatio > 0)) counted += 1;
    const worstMs = largest(round.affected.map(({ recoveryMs }) => recoveryMs)) ?? 0;
    const counts = `affected ${round.beforeFirstByte} + ${round.midStream} mid-stream, worst recovery ${worstMs.toFixed(0)} ms`;
    bench.progress.update(`${spec.row} ${counted}/${spec.rounds}: ${counts}`);
  }
  await stopLoad(bench, load);
  return summarise(bench, spec, { load, log });
}

async function runRound(bench: Bench, spec: FaultRowSpec, run: { load: LoadClient; log: FaultLog; chance: () => number }): Promise<void> {
  const { load, log, chance } = run;
  if ((await bench.platform.untilWhole(WHOLE_WITHIN_MS)) === null) {
    log.problems.push("before a round: not every instance is Ready");
    return;
  }
  await routeControl(bench, spec.tenant);
  bench.control.calmMoment();
  const warmUp = WARM_UP_REQUESTS + Math.floor(chance() * WARM_UP_SPREAD_REQUESTS);
  await untilSent(load, log.sentAtWhole + warmUp - load.sent);
  const victim = await instanceOf(bench, `${spec.tenant}-hot-1`);
  const injected = await spec.inject(victim, load);
  const previous = log.faults.pop();
  if (previous !== undefined) log.faults.push({ ...previous, untilMs: injected.atMs });
  const resumedAtMs = await untilReplaced(bench, spec, { victim, injected, load, log });
  log.faults.push({ atMs: injected.atMs, instance: victim.name, untilMs: Number.POSITIVE_INFINITY, resumedAtMs });
  log.sentAtWhole = load.sent;
  const nowMs = monotonicMs();
  await load.until(() => load.settledBeforeMs > nowMs, SETTLED_WITHIN_MS);
}

/** @returns when the failed process itself had to go on, or null when it was replaced. */
async function untilReplaced(
  bench: Bench,
  spec: FaultRowSpec,
  round: { victim: Victim; injected: Injected; load: LoadClient; log: FaultLog },
): Promise<number | null> {
  const { victim, injected, load, log } = round;
  await spec.beforeWhole?.(load, injected);
  const isReplaced = (instance: SeenInstance): boolean => instance.name !== victim.name || instance.pid !== victim.pid;
  const patienceMs = bench.noFailover === null ? RESUME_AFTER_MS.failover : RESUME_AFTER_MS.noFailover;
  const wholeAtMs = await bench.platform.until(
    (services) => services.every((service) => isWhole(service) && service.instances.every(isReplaced)),
    patienceMs,
  );
  if (wholeAtMs !== null) {
    log.wholeAfterMs.push(wholeAtMs - injected.atMs);
    await injected.undo();
    return null;
  }
  await injected.undo();
  if (bench.noFailover === null) log.problems.push(`${victim.name} was not replaced within ${patienceMs} ms of the fault`);
  return monotonicMs();
}

async function routeControl(bench: Bench, service: string): Promise<void> {
  if (bench.noFailover === null) return;
  const found = (await bench.platform.services())?.find(({ name }) => name === service);
  if (found !== undefined) bench.noFailover.routeTo(found);
}

function summarise(bench: Bench, spec: FaultRowSpec, run: { load: LoadClient; log: FaultLog }): RowResult {
  const { records } = run.load;
  const { faults, problems, wholeAfterMs } = run.log;
  const rounds = faults.map((fault) => judgeRound(records, fault, bench.model));
  const counted = rounds.filter((round) => isCounted(round, spec.mix.streamRatio > 0));
  const recoveriesMs = counted.flatMap(({ affected }) => affected.map(({ recoveryMs }) => recoveryMs));
  const lost = records.filter((record) => isLost(record, faults));
  const bars = [
    atLeast("rounds that count", counted.length, { min: spec.rounds, unit: "rounds" }),
    atMost("requests lost", lost.length, { max: 0, unit: "requests" }),
    atMost("recovery less prefill, p99", percentile(recoveriesMs, 0.99), { max: spec.p99MaxMs, unit: "ms" }),
    ...(spec.mostMaxMs === null
      ? []
      : [atMost("recovery less prefill, largest", largest(recoveriesMs), { max: spec.mostMaxMs, unit: "ms" })]),
    ...(spec.moreBars?.() ?? []),
  ];
  const nearest = (record: { readonly endedAtMs: number }): number => faults.findLast(({ atMs }) => atMs <= record.endedAtMs)?.atMs ?? 0;
  const notes = [
    ...noteRounds(rounds, counted),
    noteWhole(wholeAfterMs),
    ...(spec.moreNotes?.() ?? []),
    ...problems,
    ...describeLost(lost, nearest),
  ];
  notes.push(...describeSlowest(counted.flatMap(({ affected }) => affected)));
  notes.push(`${records.length} requests in all, ${records.filter(({ level }) => level === "warm").length} answered by the warm instance`);
  return { row: spec.row, n: counted.length, bars, notes, control: null };
}

function noteRounds(rounds: readonly Round[], counted: readonly Round[]): readonly string[] {
  const affected = counted.flatMap((round) => round.affected);
  const show = (values: readonly number[]): string =>
    [0.5, 0.9, 0.99, 1].map((ratio) => (percentile(values, ratio) ?? 0).toFixed(0)).join(" / ");
  const kinds = [
    { name: "streams cut", list: affected.filter(({ place }) => place === "mid-stream") },
    { name: "streams not begun", list: affected.filter(({ place, record }) => place !== "mid-stream" && record.isStream) },
    { name: "whole answers", list: affected.filter(({ place, record }) => place !== "mid-stream" && !record.isStream) },
  ];
  return [
    `${rounds.length} faults, ${counted.length} count, ${affected.length} affected requests`,
    ...kinds.map(
      ({ name, list }) =>
        `${name}: ${list.length}; recovery p50 / p90 / p99 / max ${show(list.map(({ recoveryMs }) => recoveryMs))} ms, ` +
        `own wait ${show(list.map(({ waitMs }) => waitMs))} ms`,
    ),
  ];
}

const noteWhole = (wholeAfterMs: readonly number[]): string =>
  `every instance Ready again after p50 ${(percentile(wholeAfterMs, 0.5) ?? 0).toFixed(0)} ms, max ${(largest(wholeAfterMs) ?? 0).toFixed(0)} ms`;
