import { setTimeout as sleep } from "node:timers/promises";
import type { PartitionMode } from "../../src/api/gpu-partition.ts";
import { QOS_TABLE } from "../../src/api/qos-table.ts";
import { cappedShares } from "../../src/engine-model/compute-slowdown.ts";
import { monotonicMs } from "../failover/monotonic.ts";
import type { Progress } from "../failover/progress.ts";
import { Card } from "./card.ts";
import { interferenceRow, shareRow, voidBy, type SharesRow } from "./judge-shares.ts";
import { saturate, type TokenMeter } from "./token-meter.ts";

/** Few and long steps, all of one length: the processor is never what an engine waits for. */
const STEP_MS = 20;
const BATCH = 8;
const FLAT = ["--step-per-sequence-ms", "0", "--prefill-tokens-per-second", "1000000000"];
const SHARE_PROFILE = ["--step-base-ms", `${STEP_MS}`, "--max-num-seqs", `${BATCH}`, ...FLAT];
const SHARE_RATE = (BATCH * 1_000) / STEP_MS;
/** More than run at once: a batch is never short of one. */
const SHARE_LOAD = { clientCount: BATCH + 2, tokensEach: 400 };
const SETTLE_MS = 1_000;

/** A control that the machine disturbed is measured again: it says nothing of the card. */
const CONTROL_TRIES_MAX = 3;

type QosClass = keyof typeof QOS_TABLE;
const CLASSES: readonly QosClass[] = ["gold", "silver", "bronze"];
const SETS: readonly (readonly QosClass[])[] = [CLASSES, ["gold", "silver"], ["gold", "bronze"], ["silver", "bronze"]];

/** Asked and achieved share of each class, by what clients received, against the same engine alone in the same run. */
export async function runShares(mode: "mps" | "vgpu", forMs: number, progress: Progress): Promise<readonly SharesRow[]> {
  const engines = CLASSES.map((name) => ({ name, mode, computePercent: QOS_TABLE[name].computePercent, arguments: SHARE_PROFILE }));
  const card = await Card.start(engines);
  try {
    const alone = new Map<string, number | null>();
    for (const name of CLASSES) {
      for (
        let tries = 0;
        tries < CONTROL_TRIES_MAX && voidBy({ alone: alone.get(name) ?? null, profile: SHARE_RATE }) !== null;
        tries += 1
      ) {
        progress.update(`${mode}: ${name} alone`);
        alone.set(name, (await measure(card, [name], { ...SHARE_LOAD, forMs: forMs / 2 })).get(name) ?? null);
      }
    }
    const rows: SharesRow[] = [];
    for (const set of SETS) {
      progress.update(`${mode}: ${set.join(" + ")}`);
      const beside = await measure(card, set, { ...SHARE_LOAD, forMs });
      const asked = cappedShares(set.map((name) => QOS_TABLE[name]));
      for (const [index, name] of set.entries()) {
        const among = `${name} of ${set.join(" + ")} by ${mode}`;
        const rates = { alone: alone.get(name) ?? null, beside: beside.get(name) ?? null, profile: SHARE_RATE };
        rows.push(shareRow({ name: among, asked: asked[index] ?? Number.NaN, ...rates }));
      }
    }
    return rows;
  } finally {
    card.stop();
  }
}

/** Seconds that one small detector took in so many pods of one card, as was published: 1, 3, 5, 7. */
const PUBLISHED_SECONDS: Readonly<Record<"mps" | "time-slicing", Readonly<Record<number, number>>>> = {
  mps: { 1: 0.088, 3: 0.164, 5: 0.241, 7: 0.32 },
  "time-slicing": { 1: 0.088, 3: 0.293, 5: 0.489, 7: 0.685 },
};
const HOLDER_COUNTS = [1, 3, 5, 7] as const;
const DETECTOR_MS = 88;
/** Of the card, while it is alone: the slope of the published figures of MPS. */
const DETECTOR_DEMAND = 0.44;
const DETECTOR = ["--step-base-ms", `${DETECTOR_MS}`, "--max-num-seqs", "1", "--demand-ratio", `${DETECTOR_DEMAND}`, ...FLAT];
const DETECTOR_LOAD = { clientCount: 2, tokensEach: 100 };

/** How much slower an engine like the published detector becomes among others like it. */
export async function runInterference(mode: "mps" | "time-slicing", forMs: number, progress: Progress): Promise<readonly SharesRow[]> {
  const names = Array.from({ length: Math.max(...HOLDER_COUNTS) }, (_, index) => `detector-${index + 1}`);
  const shared = (name: string): { name: string; mode: PartitionMode; computePercent: number; arguments: readonly string[] } => ({
    name,
    mode,
    computePercent: 100 / names.length,
    arguments: DETECTOR,
  });
  const card = await Card.start(names.map(shared));
  try {
    const rows: SharesRow[] = [];
    let alone: number | null = null;
    for (const count of HOLDER_COUNTS) {
      progress.update(`${mode}: ${count} holders`);
      const rates = await measure(card, names.slice(0, count), { ...DETECTOR_LOAD, forMs });
      const own = [...rates.values()].filter((rate) => rate !== null);
      const mean = own.length === count ? own.reduce((sum, rate) => sum + rate, 0) / count : null;
      alone ??= mean;
      const published = (PUBLISHED_SECONDS[mode][count] ?? Number.NaN) / (PUBLISHED_SECONDS[mode][1] ?? Number.NaN);
      rows.push(interferenceRow(`${count} holders by ${mode}`, { alone, beside: mean, profile: 1_000 / DETECTOR_MS }, published));
    }
    return rows;
  } finally {
    card.stop();
  }
}

/** Rates of these engines while all of them have work, and nobody else. */
async function measure(
  card: Card,
  names: readonly string[],
  load: { readonly clientCount: number; readonly tokensEach: number; readonly forMs: number },
): Promise<ReadonlyMap<string, number | null>> {
  const meters = new Map<string, TokenMeter>(
    names.map((name) => [name, saturate({ endpoint: card.endpoints.get(name) ?? "", model: name, ...load })]),
  );
  await sleep(SETTLE_MS);
  const fromMs = monotonicMs();
  await sleep(load.forMs);
  const untilMs = monotonicMs();
  const rates = new Map([...meters].map(([name, meter]) => [name, meter.ratePerSecond(fromMs, untilMs)]));
  for (const meter of meters.values()) meter.stop();
  return rates;
}
