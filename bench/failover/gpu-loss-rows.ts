import { untilSent, type Bench } from "./bench.ts";
import { loseGpus, type GpuLoss } from "./gpu-loss.ts";
import { isRefusal, refusalWaitsMs, servedAgainAtMs, servedFirst } from "./ladder-judge.ts";
import { runLadderRow, type LadderSeen } from "./ladder-row.ts";
import type { LoadClient } from "./load.ts";
import { saysWhatItNeeds } from "./ladder-rows.ts";
import { killAll, killControlPlane } from "./outage-faults.ts";
import { seeProcess, type SeenProcess } from "./process-table.ts";
import { atLeast, atMost, type RowResult } from "./report.ts";
import { largest } from "./statistics.ts";

const COLD = "bench-cold";
/** Of the zone: three tenants with their engines on one machine; more than this and it is the machine that is measured. */
const RATE_PER_SECOND = { alone: 20, platinum: 20, gold: 10, silver: 5 };
const ALL_NODES = ["bench-a", "bench-b", "bench-c"];
const ZONE_NODES = ["bench-a", "bench-b"];
const LOST_FOR_MS = 3_000;
/** By `degraded` of the tenant's manifest. */
const QUEUE_UP_TO_MS = 1_500;
/** Of a queued request that is shed: how much later than its time. */
const SHED_LATE_MAX_MS = 250;
const SHED_EARLY_MAX_MS = 50;
const PLATINUM_RTO_MS = 5_000;
const GOLD_RTO_MS = 15_000;
const SETTLED_WITHIN_MS = 10_000;

const suffix = (withControlPlane: boolean): string => (withControlPlane ? "" : "-no-control-plane");

/** Every GPU of the fleet is lost and, after a while, back. */
export async function runAllGpusRow(bench: Bench, rounds: number, withControlPlane: boolean): Promise<RowResult> {
  const described = withControlPlane ? null : await bench.platform.command("describe", COLD);
  const losses: GpuLoss[] = [];
  const waitsMs = (seen: LadderSeen): readonly number[] => refusalWaitsMs(seen.tenants[0]?.records ?? [], seen.outages);
  try {
    return await runLadderRow(bench, {
      row: `all-gpus-lost${suffix(withControlPlane)}`,
      rounds,
      loads: [{ tenant: COLD, ratePerSecond: RATE_PER_SECOND.alone }],
      areRefusalsAllowed: true,
      before: async () => (withControlPlane ? undefined : killControlPlane(bench)),
      inject: async () => {
        const loss = await loseGpus(bench.platform.dataDir, ALL_NODES);
        losses.push(loss);
        return loss.atMs;
      },
      after: async (load, faultAtMs) => {
        await load.until(() => load.settledBeforeMs > faultAtMs + LOST_FOR_MS - QUEUE_UP_TO_MS, SETTLED_WITHIN_MS);
        await losses.pop()?.restore();
        if (!withControlPlane) bench.platform.up();
      },
      bars: (seen) => [
        atLeast("refusals with Retry-After", waitsMs(seen).length, { min: rounds, unit: "requests" }),
        atMost("shed later than the queue's time, most", overBy(waitsMs(seen)), { max: SHED_LATE_MAX_MS, unit: "ms" }),
        atMost("shed earlier than the queue's time, most", underBy(waitsMs(seen)), { max: SHED_EARLY_MAX_MS, unit: "ms" }),
        ...(described === null ? [] : [saysWhatItNeeds(described.text)]),
      ],
      notes: (seen) => [
        `${seen.tenants[0]?.records.filter(isRefusal).length ?? 0} requests were refused with Retry-After`,
        ...describeLongestWaits(seen),
      ],
    });
  } finally {
    for (const loss of losses) await loss.restore();
  }
}

/** Of what was refused: who waited longest, and for what. */
function describeLongestWaits({ tenants, outages }: LadderSeen): readonly string[] {
  const refused = (tenants[0]?.records ?? [])
    .filter(isRefusal)
    .map((record) => ({ record, waitMs: refusalWaitsMs([record], outages)[0] ?? 0 }));
  return refused
    .toSorted((a, b) => b.waitMs - a.waitMs)
    .slice(0, 3)
    .map(({ record: { isStream, arrivedAtMs, endedAtMs, note }, waitMs }) => {
      const faultAtMs = outages.findLast(({ atMs }) => atMs <= endedAtMs)?.atMs ?? 0;
      const kind = isStream ? "stream" : "whole answer";
      return `refused after ${waitMs.toFixed(0)} ms: a ${kind} that came ${(arrivedAtMs - faultAtMs).toFixed(0)} ms after the fault (${note})`;
    });
}

const overBy = (waitsMs: readonly number[]): number | null => largest(waitsMs.map((ms) => Math.max(0, ms - QUEUE_UP_TO_MS)));
const underBy = (waitsMs: readonly number[]): number | null => largest(waitsMs.map((ms) => Math.max(0, QUEUE_UP_TO_MS - ms)));

/** All of az-1 at once: engines killed, GPUs lost. What is left wakes in az-2, over one link. */
export async function runZoneRow(bench: Bench, rounds: number, withControlPlane: boolean): Promise<RowResult> {
  const losses: GpuLoss[] = [];
  let engines: readonly SeenProcess[] = [];
  try {
    return await runLadderRow(bench, {
      row: `zone-lost${suffix(withControlPlane)}`,
      rounds,
      loads: [
        { tenant: "bench-asleep", ratePerSecond: RATE_PER_SECOND.platinum },
        { tenant: "bench-gold", ratePerSecond: RATE_PER_SECOND.gold },
        { tenant: "bench-silver", ratePerSecond: RATE_PER_SECOND.silver },
      ],
      // Silver has nothing but a load; without the control plane it has nothing at all.
      areRefusalsAllowed: true,
      before: async () => {
        engines = await enginesInZone(bench);
        if (!withControlPlane) killControlPlane(bench);
      },
      inject: async () => {
        const atMs = killAll(engines);
        losses.push(await loseGpus(bench.platform.dataDir, ZONE_NODES));
        return atMs;
      },
      after: (load, faultAtMs) => mendZone(bench, { load, faultAtMs, loss: losses.pop(), withControlPlane }),
      bars: (seen) => [
        refusedBar(seen, 0, "platinum"),
        refusedBar(seen, 1, "gold"),
        atMost("platinum's recovery, largest", largest(seen.tenants[0]?.recoveriesMs ?? []), { max: PLATINUM_RTO_MS, unit: "ms" }),
        atMost("gold's recovery, largest", largest(seen.tenants[1]?.recoveriesMs ?? []), { max: GOLD_RTO_MS, unit: "ms" }),
        atMost("rounds in which gold was served first", goldFirst(bench, seen).length, { max: 0, unit: "rounds" }),
      ],
      notes: (seen) => goldFirst(bench, seen),
    });
  } finally {
    for (const loss of losses) await loss.restore();
  }
}

async function enginesInZone(bench: Bench): Promise<readonly SeenProcess[]> {
  const services = (await bench.platform.services()) ?? [];
  const instances = services
    .flatMap((service) => service.instances)
    .filter(({ members }) => members.some(({ node }) => ZONE_NODES.includes(node)));
  return instances.map(({ pid }) => (pid === null ? null : seeProcess(pid))).filter((seen) => seen !== null);
}

async function mendZone(
  bench: Bench,
  round: { readonly load: LoadClient; readonly faultAtMs: number; readonly loss: GpuLoss | undefined; readonly withControlPlane: boolean },
): Promise<void> {
  const { load, faultAtMs, loss, withControlPlane } = round;
  await untilSent(load, 30);
  await load.until(() => load.settledBeforeMs > faultAtMs + LOST_FOR_MS / 2, SETTLED_WITHIN_MS);
  await loss?.restore();
  if (!withControlPlane) bench.platform.up();
}

function refusedBar(seen: LadderSeen, at: number, tier: string) {
  const refused = seen.tenants[at]?.records.filter(isRefusal).length ?? null;
  return atMost(`refused requests of ${tier}`, refused, { max: 0, unit: "requests" });
}

/** A line for each such round. */
function goldFirst(bench: Bench, seen: LadderSeen): readonly string[] {
  return seen.outages.flatMap((outage, index) => {
    const [platinumMs, goldMs] = seen.tenants.map(
      ({ records }) => (servedAgainAtMs(records, outage, bench.model) ?? Number.POSITIVE_INFINITY) - outage.atMs,
    );
    if (platinumMs === undefined || goldMs === undefined || platinumMs <= goldMs) return [];
    const first = servedFirst(seen.tenants[1]?.records ?? [], outage, bench.model);
    const by = first === null ? "" : ` (${first.isStream ? "stream" : "whole answer"} of ${first.maxTokens} tokens by ${first.instance})`;
    return [`round ${index + 1}: gold was served again after ${goldMs.toFixed(0)} ms${by}, platinum after ${platinumMs.toFixed(0)} ms`];
  });
}
