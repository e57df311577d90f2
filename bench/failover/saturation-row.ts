import { describeLost, startLoad, stopLoad, type Bench } from "./bench.ts";
import { capacityPerSecond } from "./engine-profile.ts";
import type { LoadClient } from "./load.ts";
import { usualMix } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import type { SeenService } from "./platform-status.ts";
import { atLeast, atMost, type RowResult } from "./report.ts";
import type { RequestRecord } from "./request-record.ts";

const SATURATION_RATIO = 1.5;
const EBB_RATIO = 0.25;
const CALM_FOR_MS = 5_000;
const FLOOD_FOR_MS = 20_000;
const REST_WITHIN_MS = 40_000;

/** Requests that arrived in [from, to), by the level that answered them. */
function percentByWarm(records: readonly RequestRecord[], from: number, to: number): number {
  const arrived = records.filter(({ arrivedAtMs }) => arrivedAtMs >= from && arrivedAtMs < to);
  return (100 * arrived.filter(({ level }) => level === "warm").length) / Math.max(1, arrived.length);
}

interface LadderWatch {
  epochs: Set<number>;
  levels: Set<string>;
  countedMax: number;
}

const look = (watch: LadderWatch, service: SeenService | undefined): void => {
  if (service === undefined) return;
  watch.epochs.add(service.epoch);
  watch.levels.add(service.level);
  watch.countedMax = Math.max(watch.countedMax, service.failoversInWindow);
};

/** One hot engine is asked for half as much again as it can do: what is over goes to the warm one, nothing is lost, and no failover is made of it. */
export async function runSaturationRow(bench: Bench, row: string, tenant: string): Promise<RowResult> {
  const capacity = capacityPerSecond(bench.model.profile, usualMix);
  const isAtRest = (await bench.platform.untilWhole(REST_WITHIN_MS)) !== null;
  const watch: LadderWatch = { epochs: new Set(), levels: new Set(), countedMax: 0 };
  const countedBefore = (await bench.platform.services())?.find(({ name }) => name === tenant)?.failoversInWindow ?? 0;
  const loads: LoadClient[] = [];
  const begin = async (ratio: number): Promise<LoadClient> => {
    const pace = { kind: "open", ratePerSecond: capacity * ratio } as const;
    const load = await startLoad(bench, { tenant, mix: usualMix, pace, seedOffset: loads.length });
    loads.push(load);
    return load;
  };
  const phase = async (load: LoadClient, forMs: number, what: string): Promise<{ fromMs: number; toMs: number }> => {
    const fromMs = monotonicMs();
    await bench.platform.until((services) => {
      look(
        watch,
        services.find(({ name }) => name === tenant),
      );
      bench.progress.update(`${row}: ${what}, ${load.sent} sent, ${load.inFlight} in flight`);
      return monotonicMs() > fromMs + forMs;
    }, forMs + 2_000);
    return { fromMs, toMs: monotonicMs() };
  };
  const before = await begin(EBB_RATIO);
  const calm = await phase(before, CALM_FOR_MS, "calm");
  const flooding = await begin(SATURATION_RATIO - EBB_RATIO);
  const flood = await phase(flooding, FLOOD_FOR_MS, "flood");
  await stopLoad(bench, flooding);
  await phase(before, CALM_FOR_MS, "ebb");
  const ebb = await phase(before, CALM_FOR_MS, "calm again");
  await stopLoad(bench, before);
  const isAtRestAgain = (await bench.platform.untilWhole(REST_WITHIN_MS)) !== null;
  const records = loads.flatMap((load) => load.records);
  const lost = records.filter(({ outcome }) => outcome !== "complete");
  return {
    row,
    n: records.length,
    bars: [
      atMost("requests lost", lost.length, { max: 0, unit: "requests" }),
      atMost("answered by warm before", percentByWarm(records, calm.fromMs, calm.toMs), { max: 0, unit: "%" }),
      atLeast("answered by warm in the flood", percentByWarm(records, flood.fromMs, flood.toMs), { min: 5, unit: "%" }),
      atMost("answered by warm after the ebb", percentByWarm(records, ebb.fromMs, ebb.toMs), { max: 0, unit: "%" }),
      atMost("failovers counted", watch.countedMax - countedBefore, { max: 0, unit: "failovers" }),
      atMost("moves of the ladder", watch.epochs.size - 1, { max: 0, unit: "moves" }),
      atMost("times not at rest before and after", [isAtRest, isAtRestAgain].filter((is) => !is).length, { max: 0, unit: "times" }),
    ],
    notes: [
      `one hot engine finishes ${capacity.toFixed(1)} requests/s by its profile; the flood was ${(capacity * SATURATION_RATIO).toFixed(1)}; levels ${[...watch.levels].join(", ")}`,
      ...describeLost(lost, () => flood.fromMs),
    ],
    control: null,
  };
}
