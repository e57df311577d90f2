import { describeLost, instanceOf, RATE_PER_SECOND, startLoad, stopLoad, untilSent, WHOLE_WITHIN_MS, type Bench } from "./bench.ts";
import { injectFault } from "./engine-fault.ts";
import { MIXED } from "./engine-rows.ts";
import type { LoadClient } from "./load.ts";
import { longPromptMix, usualMix } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import type { SeenService } from "./platform-status.ts";
import { isSameProcess } from "./process-table.ts";
import { atMost, type RowResult } from "./report.ts";
import type { RequestRecord } from "./request-record.ts";
import { percentile, sum } from "./statistics.ts";

const SPLIT_POINTS_MAX = 1;
const HOT_1_PERCENT = 80;
const LOAD_RATIO = 0.95;
const SLOW_FACTOR = 5;
const SLOW_FOR_MS = 3_000;
const CAPACITY_WARM_UP_MS = 3_000;
const CAPACITY_MEASURE_MS = 8_000;

/** Nothing wrong, unsaturated: the share of `<tenant>-hot-1`, by the answers' own headers. */
export async function runSplitRow(bench: Bench, requests: number): Promise<RowResult> {
  await bench.platform.untilWhole(WHOLE_WITHIN_MS);
  const load = await startLoad(bench, { tenant: MIXED, mix: usualMix, pace: { kind: "open", ratePerSecond: RATE_PER_SECOND } });
  while (load.sent < requests) {
    await untilSent(load, Math.min(25, requests - load.sent));
    bench.control.calmMoment();
    bench.progress.update(`split-80-20 ${load.sent}/${requests}`);
  }
  await stopLoad(bench, load);
  const records = load.records.toSorted((a, b) => a.id - b.id).slice(0, requests);
  const fromHot1 = records.filter(({ instance }) => instance === `${MIXED}-hot-1`).length;
  const percent = (100 * fromHot1) / Math.max(1, records.length);
  const lost = records.filter(({ outcome }) => outcome !== "complete");
  return {
    row: "split-80-20",
    n: records.length,
    bars: [
      atMost("requests lost", lost.length, { max: 0, unit: "requests" }),
      atMost("distance of hot-1's share from 80 %", Math.abs(percent - HOT_1_PERCENT), { max: SPLIT_POINTS_MAX, unit: "points" }),
    ],
    notes: [
      `hot-1 answered ${percent.toFixed(2)} % of ${records.length} requests`,
      ...describeLost(lost, () => records[0]?.arrivedAtMs ?? 0),
    ],
    control: null,
  };
}

/** Both hot engines, asked directly with a full batch at the same time. @returns requests per second of both together. */
async function measureCapacity(bench: Bench): Promise<number> {
  const loads: LoadClient[] = [];
  for (const name of [`${MIXED}-hot-1`, `${MIXED}-hot-2`]) {
    const { endpoint } = await instanceOf(bench, name);
    const { hostname, port } = new URL(endpoint);
    const inFlight = bench.model.profile.batchMax + 8;
    const target = { host: hostname, port: Number(port), key: null };
    loads.push(await startLoad(bench, { tenant: MIXED, mix: longPromptMix, pace: { kind: "closed", inFlight }, target }));
  }
  const fromMs = monotonicMs() + CAPACITY_WARM_UP_MS;
  const untilMs = fromMs + CAPACITY_MEASURE_MS;
  await Promise.all(
    loads.map((load) => load.until(() => monotonicMs() > untilMs + 200, CAPACITY_WARM_UP_MS + CAPACITY_MEASURE_MS + 2_000)),
  );
  const rates = loads.map(
    ({ records }) =>
      records.filter(({ endedAtMs, outcome }) => outcome === "complete" && endedAtMs > fromMs && endedAtMs <= untilMs).length,
  );
  await Promise.all(loads.map((load) => stopLoad(bench, load)));
  return (sum(rates) / CAPACITY_MEASURE_MS) * 1_000;
}

const historyOf = (services: readonly SeenService[] | null): readonly SeenService["history"][number][] =>
  (services ?? []).filter(({ name }) => name === MIXED).flatMap(({ history }) => history);

/** At 95 % of what both hot engines can do, one of them five times slower for three seconds in each minute: nobody is ejected. */
export async function runSteadyRow(bench: Bench, minutes: number): Promise<RowResult> {
  await bench.platform.untilWhole(WHOLE_WITHIN_MS);
  bench.progress.line("steady-95: measures the capacity of both hot engines");
  const capacity = await measureCapacity(bench);
  const ratePerSecond = capacity * LOAD_RATIO;
  bench.progress.line(
    `steady-95: both together finish ${capacity.toFixed(1)} requests/s; the load is ${ratePerSecond.toFixed(1)} for ${minutes} min`,
  );
  const engines = bench.platform.engines();
  const ejectionsBefore = await bench.platform.ejections();
  const historyBefore = historyOf(await bench.platform.services()).length;
  const load = await startLoad(bench, { tenant: MIXED, mix: longPromptMix, pace: { kind: "open", ratePerSecond } });
  const startedAtMs = monotonicMs();
  let inFlightMax = 0;
  for (let minute = 0; minute < minutes; minute += 1) {
    const watch = (untilMs: number): Promise<boolean> =>
      load.until(() => {
        bench.control.calmMoment();
        inFlightMax = Math.max(inFlightMax, load.inFlight);
        const seconds = ((monotonicMs() - startedAtMs) / 1_000).toFixed(0);
        bench.progress.update(`steady-95 ${seconds}/${minutes * 60} s: ${load.sent} sent, ${load.inFlight} in flight`);
        return monotonicMs() > untilMs;
      }, 120_000);
    await watch(startedAtMs + (minute + 0.5) * 60_000);
    const { endpoint } = await instanceOf(bench, `${MIXED}-hot-${(minute % 2) + 1}`);
    await injectFault(endpoint, { kind: "slow", factor: SLOW_FACTOR }, SLOW_FOR_MS);
    await watch(startedAtMs + (minute + 1) * 60_000);
  }
  await stopLoad(bench, load);
  const ejectionsAfter = await bench.platform.ejections();
  const ejections = ejectionsBefore === null || ejectionsAfter === null ? null : ejectionsAfter - ejectionsBefore;
  const news = historyOf(await bench.platform.services()).slice(historyBefore);
  const replaced = engines.filter((seen) => !isSameProcess(seen)).length;
  return summariseSteady(load.records, { news, ejections, replaced, inFlightMax, capacity });
}

interface SteadyWatch {
  readonly news: readonly { readonly what: string; readonly why: string }[];
  /** By the gateway's own count; null = it did not tell. */
  readonly ejections: number | null;
  readonly replaced: number;
  readonly inFlightMax: number;
  readonly capacity: number;
}

function summariseSteady(records: readonly RequestRecord[], watch: SteadyWatch): RowResult {
  const lost = records.filter(({ outcome }) => outcome !== "complete");
  const retried = records.filter(({ attempts }) => (attempts ?? 1) > 1).length;
  const firstTokensMs = records
    .filter(({ isStream }) => isStream)
    .map((record) => (record.tokenTimesMs[0] ?? record.endedAtMs) - record.arrivedAtMs);
  const share = (level: string): string =>
    `${((100 * records.filter((record) => record.level === level).length) / Math.max(1, records.length)).toFixed(1)} %`;
  return {
    row: "steady-95",
    n: records.length,
    bars: [
      atMost("requests lost", lost.length, { max: 0, unit: "requests" }),
      atMost("ejections by the gateway's own count", watch.ejections, { max: 0, unit: "ejections" }),
      atMost("requests that needed a second engine", retried, { max: 0, unit: "requests" }),
      atMost("engines replaced", watch.replaced, { max: 0, unit: "engines" }),
    ],
    notes: [
      `measured capacity ${watch.capacity.toFixed(1)} requests/s; most in flight ${watch.inFlightMax}; hot ${share("hot")}, warm ${share("warm")}`,
      `first token of a stream p50 ${(percentile(firstTokensMs, 0.5) ?? 0).toFixed(0)} ms, p99 ${(percentile(firstTokensMs, 0.99) ?? 0).toFixed(0)} ms`,
      ...watch.news.slice(0, 10).map(({ what, why }) => `history: ${what}: ${why}`),
      ...describeLost(lost, () => records[0]?.arrivedAtMs ?? 0),
    ],
    control: null,
  };
}
