import { describeLost, MODEL, RATE_PER_SECOND, startLoad, stopLoad, untilSent, WHOLE_WITHIN_MS, type Bench } from "./bench.ts";
import { MIXED } from "./engine-rows.ts";
import type { LoadClient } from "./load.ts";
import { usualMix } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import { isSameProcess, seeProcess, signal } from "./process-table.ts";
import { atLeast, atMost, type RowResult } from "./report.ts";
import type { RequestRecord } from "./request-record.ts";
import { largest, percentile, sum } from "./statistics.ts";

const SERVES_WITHIN_MS = 1_000;
const GIVE_UP_MS = 10_000;

/** One gateway's death and its successor, with all requests of the round. */
interface Outage {
  readonly killedAtMs: number;
  readonly startedAtMs: number;
  /** First good token of a request that arrived after the kill; null = none came from the gateway that was started again. */
  readonly servedAtMs: number | null;
  readonly reloads: number;
  readonly records: readonly RequestRecord[];
}

const firstGoodMs = (record: RequestRecord): number => record.tokenTimesMs[0] ?? record.endedAtMs;

/** kill -9 of control plane and gateway; the gateway alone is started again and measured; then everything comes back by `up`. */
export async function runGatewayRow(bench: Bench, rounds: number): Promise<RowResult> {
  const outages: Outage[] = [];
  const problems: string[] = [];
  while (outages.length < rounds && problems.length === 0) {
    const load = await startLoad(bench, { tenant: MIXED, mix: usualMix, pace: { kind: "open", ratePerSecond: RATE_PER_SECOND } });
    bench.control.calmMoment();
    await untilSent(load, 60);
    const outage = await runOutage(bench, load);
    outages.push(outage);
    const servedMs = outage.servedAtMs === null ? "never" : `after ${(outage.servedAtMs - outage.startedAtMs).toFixed(0)} ms`;
    bench.progress.update(`gateway-kill ${outages.length}/${rounds}: serves ${servedMs}`);
    bench.platform.up();
    if ((await bench.platform.untilWhole(WHOLE_WITHIN_MS)) === null) problems.push("not every instance is Ready after `up`");
    await bench.platform.untilServes(MIXED, MODEL, WHOLE_WITHIN_MS);
  }
  return summarise(rounds, outages, problems);
}

async function runOutage(bench: Bench, load: LoadClient): Promise<Outage> {
  const controlPlane = bench.platform.controlPlane();
  const gateway = bench.platform.gateway();
  if (controlPlane === null || gateway === null) throw new Error("No control plane or no gateway runs.");
  const engines = bench.platform.engines();
  signal(controlPlane, "SIGKILL");
  await untilSent(load, 10);
  const killedAtMs = monotonicMs();
  signal(gateway, "SIGKILL");
  const startedAtMs = monotonicMs();
  const { pid } = bench.platform.startAgain(gateway);
  const isGood = (record: RequestRecord): boolean => record.outcome === "complete" && record.arrivedAtMs > killedAtMs;
  await load.until(() => load.records.some(isGood), GIVE_UP_MS);
  await untilSent(load, 40);
  await stopLoad(bench, load);
  // A gateway of somebody else's would say nothing about a stored table.
  const isOurs = bench.platform.gateway()?.pid === pid;
  const good = load.records.filter(isGood).map(firstGoodMs);
  const reloads = engines.filter((seen) => !isSameProcess(seen)).length;
  // The control plane keeps a gateway of its own: the stand-in makes room for it.
  const standIn = pid === undefined ? null : seeProcess(pid);
  if (standIn !== null) signal(standIn, "SIGKILL");
  return { killedAtMs, startedAtMs, servedAtMs: isOurs && good.length > 0 ? Math.min(...good) : null, reloads, records: load.records };
}

function summarise(rounds: number, outages: readonly Outage[], problems: readonly string[]): RowResult {
  const servedMs = outages.map(({ startedAtMs, servedAtMs }) => (servedAtMs ?? Number.POSITIVE_INFINITY) - startedAtMs);
  const failed = outages.flatMap(({ records }) => records.filter(({ outcome }) => outcome !== "complete"));
  const lost = outages.flatMap((outage) =>
    outage.records.filter((record) => record.outcome !== "complete" && !metNoGateway(record, outage)),
  );
  return {
    row: "gateway-kill",
    n: outages.length,
    bars: [
      atLeast("rounds that count", outages.length, { min: rounds, unit: "rounds" }),
      atMost("serves from its stored table, largest", largest(servedMs), { max: SERVES_WITHIN_MS, unit: "ms" }),
      atMost("requests lost while a gateway was there", lost.length, { max: 0, unit: "requests" }),
      atMost("Ready engines that lost their process", sum(outages.map(({ reloads }) => reloads)), { max: 0, unit: "engines" }),
    ],
    notes: [
      `first good token p50 ${(percentile(servedMs, 0.5) ?? 0).toFixed(0)} ms after the start of the gateway's process`,
      `${failed.length - lost.length} of ${sum(outages.map(({ records }) => records.length))} requests ended with the gateway or found none`,
      ...problems,
      ...describeLost(lost, (record) => outages.find(({ records }) => records.includes(record))?.killedAtMs ?? 0),
    ],
    control: null,
  };
}

/** What the dead gateway had in its hands, or what met no gateway at all, is nobody's to save. */
const metNoGateway = (record: RequestRecord, { killedAtMs, servedAtMs }: Outage): boolean =>
  record.endedAtMs >= killedAtMs && record.arrivedAtMs <= (servedAtMs ?? Number.POSITIVE_INFINITY);
