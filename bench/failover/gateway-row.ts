import { describeLost, RATE_PER_SECOND, startLoad, stopLoad, untilSent, WHOLE_WITHIN_MS, type Bench } from "./bench.ts";
import { MIXED } from "./engine-rows.ts";
import type { LoadClient } from "./load.ts";
import { usualMix } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import { isSameProcess, signal } from "./process-table.ts";
import { atLeast, atMost, type RowResult } from "./report.ts";
import type { RequestRecord } from "./request-record.ts";
import { largest, percentile } from "./statistics.ts";

const SERVES_WITHIN_MS = 1_000;
const GIVE_UP_MS = 10_000;

interface Outage {
  readonly killedAtMs: number;
  readonly startedAtMs: number;
  /** First good token of a request that arrived after the kill; null = none came. */
  readonly servedAtMs: number | null;
}

const firstGoodMs = (record: RequestRecord): number => record.tokenTimesMs[0] ?? record.endedAtMs;

/** kill -9 of control plane and gateway; the gateway alone is started again, then, after the measurement, `up`. */
export async function runGatewayRow(bench: Bench, rounds: number): Promise<RowResult> {
  const load = await startLoad(bench, { tenant: MIXED, mix: usualMix, pace: { kind: "open", ratePerSecond: RATE_PER_SECOND } });
  const outages: Outage[] = [];
  const problems: string[] = [];
  let reloads = 0;
  for (let round = 0; round < rounds && problems.length === 0; round += 1) {
    if ((await bench.platform.untilWhole(WHOLE_WITHIN_MS)) === null) {
      problems.push("not every instance is Ready");
      break;
    }
    bench.control.calmMoment();
    await untilSent(load, 40);
    const engines = bench.platform.engines();
    const outage = await runOutage(bench, load);
    outages.push(outage);
    reloads += engines.filter((seen) => !isSameProcess(seen)).length;
    const servedMs = outage.servedAtMs === null ? "never" : `after ${(outage.servedAtMs - outage.startedAtMs).toFixed(0)} ms`;
    bench.progress.update(`gateway-kill ${round + 1}/${rounds}: serves ${servedMs}`);
    bench.platform.up();
  }
  if ((await bench.platform.untilWhole(WHOLE_WITHIN_MS)) === null) problems.push("at the end not every instance is Ready");
  await stopLoad(bench, load);
  return summarise({ rounds, outages, problems, reloads, records: load.records });
}

async function runOutage(bench: Bench, load: LoadClient): Promise<Outage> {
  const controlPlane = bench.platform.controlPlane();
  const gateway = bench.platform.gateway();
  if (controlPlane === null || gateway === null) throw new Error("No control plane or no gateway runs.");
  signal(controlPlane, "SIGKILL");
  await untilSent(load, 10);
  const killedAtMs = monotonicMs();
  signal(gateway, "SIGKILL");
  const startedAtMs = monotonicMs();
  const { pid } = bench.platform.startAgain(gateway);
  const isGood = (record: RequestRecord): boolean => record.outcome === "complete" && record.arrivedAtMs > killedAtMs;
  await load.until(() => load.records.some(isGood), GIVE_UP_MS);
  await untilSent(load, 40);
  const nowMs = monotonicMs();
  await load.until(() => load.settledBeforeMs > nowMs, GIVE_UP_MS);
  // A gateway of somebody else's would say nothing about a stored table.
  if (bench.platform.gateway()?.pid !== pid) return { killedAtMs, startedAtMs, servedAtMs: null };
  const good = load.records.filter(isGood).map(firstGoodMs);
  return { killedAtMs, startedAtMs, servedAtMs: good.length === 0 ? null : Math.min(...good) };
}

interface GatewayRun {
  readonly rounds: number;
  readonly outages: readonly Outage[];
  readonly problems: readonly string[];
  readonly reloads: number;
  readonly records: readonly RequestRecord[];
}

function summarise(run: GatewayRun): RowResult {
  const { outages } = run;
  const servedMs = outages.map(({ startedAtMs, servedAtMs }) => (servedAtMs ?? Number.POSITIVE_INFINITY) - startedAtMs);
  // What the dead gateway had in its hands, or what met no gateway at all, is nobody's to save.
  const wasAway = (record: RequestRecord): boolean =>
    outages.some(
      ({ killedAtMs, servedAtMs }) => record.endedAtMs >= killedAtMs && record.arrivedAtMs <= (servedAtMs ?? Number.POSITIVE_INFINITY),
    );
  const lost = run.records.filter((record) => record.outcome !== "complete" && !wasAway(record));
  const failed = run.records.filter((record) => record.outcome !== "complete").length - lost.length;
  const nearest = (record: RequestRecord): number => outages.findLast(({ killedAtMs }) => killedAtMs <= record.endedAtMs)?.killedAtMs ?? 0;
  return {
    row: "gateway-kill",
    n: outages.length,
    bars: [
      atLeast("rounds that count", outages.length, { min: run.rounds, unit: "rounds" }),
      atMost("serves from its stored table, largest", largest(servedMs), { max: SERVES_WITHIN_MS, unit: "ms" }),
      atMost("requests lost while the gateway was there", lost.length, { max: 0, unit: "requests" }),
      atMost("Ready engines that lost their process", run.reloads, { max: 0, unit: "engines" }),
    ],
    notes: [
      `first good token p50 ${(percentile(servedMs, 0.5) ?? 0).toFixed(0)} ms after the start of the gateway's process`,
      `${failed} of ${run.records.length} requests ended with the gateway or found none`,
      ...run.problems,
      ...describeLost(lost, nearest),
    ],
    control: null,
  };
}
