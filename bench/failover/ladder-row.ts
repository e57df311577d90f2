import { describeLost, describeSlowest, startLoad, stopLoad, untilSent, type Bench } from "./bench.ts";
import { isLostOnLadder, judgeOutage, saysSomething, type JudgedOutage, type Outage } from "./ladder-judge.ts";
import type { LoadClient } from "./load.ts";
import { usualMix } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import { atLeast, atMost, type Bar, type RowResult } from "./report.ts";
import type { RequestRecord } from "./request-record.ts";
import { seeded } from "./seeded.ts";
import { largest, percentile } from "./statistics.ts";

export interface TenantLoad {
  readonly tenant: string;
  readonly ratePerSecond: number;
}

export interface LadderRowSpec {
  readonly row: string;
  readonly rounds: number;
  /** The first one's affected requests decide whether a round counts. */
  readonly loads: readonly [TenantLoad, ...TenantLoad[]];
  readonly areRefusalsAllowed: boolean;
  /** Under load, before the fault: the control plane dies, a wake is made to fail. */
  readonly before?: () => Promise<void>;
  /** @returns when the fault happened. */
  readonly inject: () => Promise<number>;
  /** What mends the fault, when the platform cannot do it alone. */
  readonly after?: (load: LoadClient, faultAtMs: number) => Promise<void>;
  readonly bars: (seen: LadderSeen) => readonly Bar[];
  readonly notes?: (seen: LadderSeen) => readonly string[];
}

export interface TenantSeen {
  readonly tenant: string;
  readonly records: readonly RequestRecord[];
  /** One for each fault, in order. */
  readonly judged: readonly JudgedOutage[];
  /** Of the affected requests of the rounds that count; Infinity = refused or lost. */
  readonly recoveriesMs: readonly number[];
}
export interface LadderSeen {
  readonly outages: readonly Outage[];
  readonly tenants: readonly TenantSeen[];
}

/** Load, failback, soak, and going to sleep again. */
const REST_WITHIN_MS = 25_000;
const SETTLED_WITHIN_MS = 25_000;
const WARM_UP_MS = 1_000;
/** Before the first fault: processes that have served for a while, as they have when a GPU dies. */
const FIRST_WARM_UP_MS = 10_000;
const WARM_UP_SPREAD_MS = 300;

interface LadderLog {
  readonly faultsAtMs: number[];
  readonly atRestAfterMs: number[];
  readonly problems: string[];
}

/** Rounds of one outage under load: everybody at rest, the fault, everybody at rest again without a hand. */
export async function runLadderRow(bench: Bench, spec: LadderRowSpec): Promise<RowResult> {
  const log: LadderLog = { faultsAtMs: [], atRestAfterMs: [], problems: [] };
  if ((await bench.platform.untilWhole(REST_WITHIN_MS)) === null) log.problems.push("before the row: not everybody is at rest");
  const loads: LoadClient[] = [];
  for (const [index, { tenant, ratePerSecond }] of spec.loads.entries()) {
    loads.push(await startLoad(bench, { tenant, mix: usualMix, pace: { kind: "open", ratePerSecond }, seedOffset: index }));
  }
  const [first] = loads;
  if (first !== undefined) await untilSent(first, Math.ceil((FIRST_WARM_UP_MS / 1_000) * spec.loads[0].ratePerSecond));
  const chance = seeded(bench.seed + 1);
  const triesMax = Math.ceil(spec.rounds * 1.25) + 3;
  let counted = 0;
  for (let tries = 0; tries < triesMax && counted < spec.rounds && log.problems.length === 0; tries += 1) {
    await runRound(bench, spec, { loads, log, warmUpMs: WARM_UP_MS + chance() * WARM_UP_SPREAD_MS });
    const seen = seenSoFar(bench, spec, { loads, log });
    counted = seen.tenants[0]?.judged.filter(saysSomething).length ?? 0;
    const last = seen.tenants[0]?.judged.at(-1);
    const worstMs = largest(last?.affected.map(({ recoveryMs }) => recoveryMs) ?? []) ?? 0;
    bench.progress.update(
      `${spec.row} ${counted}/${spec.rounds}: affected ${last?.affected.length ?? 0}, worst recovery ${worstMs.toFixed(0)} ms`,
    );
  }
  for (const load of loads) await stopLoad(bench, load);
  return summarise(spec, seenSoFar(bench, spec, { loads, log }), log);
}

async function runRound(
  bench: Bench,
  spec: LadderRowSpec,
  run: { readonly loads: readonly LoadClient[]; readonly log: LadderLog; readonly warmUpMs: number },
): Promise<void> {
  const [load] = run.loads;
  if (load === undefined) return;
  bench.control.calmMoment();
  await untilSent(load, Math.ceil((run.warmUpMs / 1_000) * spec.loads[0].ratePerSecond));
  await spec.before?.();
  const faultAtMs = await spec.inject();
  run.log.faultsAtMs.push(faultAtMs);
  await spec.after?.(load, faultAtMs);
  const restAtMs = await bench.platform.untilWhole(REST_WITHIN_MS);
  if (restAtMs === null) run.log.problems.push(`not everybody is at rest ${REST_WITHIN_MS} ms after the fault: ${await standing(bench)}`);
  else run.log.atRestAfterMs.push(restAtMs - faultAtMs);
  const nowMs = monotonicMs();
  await Promise.all(run.loads.map((one) => one.until(() => one.settledBeforeMs > nowMs, SETTLED_WITHIN_MS)));
}

/** For people: how every service stands. */
async function standing(bench: Bench): Promise<string> {
  const services = (await bench.platform.services()) ?? [];
  return services
    .map(({ name, phase, level, instances, history }) => {
      const each = instances.map((instance) => `${instance.name} ${instance.state}`).join(", ");
      return `${name} ${phase} on ${level}: ${each}; last: ${history.at(-1)?.what ?? "-"} (${history.at(-1)?.why ?? "-"})`;
    })
    .join("; ");
}

function seenSoFar(bench: Bench, spec: LadderRowSpec, run: { readonly loads: readonly LoadClient[]; readonly log: LadderLog }): LadderSeen {
  const { faultsAtMs } = run.log;
  const outages = faultsAtMs.map((atMs, index) => ({ atMs, untilMs: faultsAtMs[index + 1] ?? Number.POSITIVE_INFINITY }));
  const tenants = spec.loads.map(({ tenant }, index) => {
    const records = run.loads[index]?.records ?? [];
    const judged = outages.map((outage) => judgeOutage(records, outage, bench.model));
    const recoveriesMs = judged.filter(saysSomething).flatMap(({ affected }) => affected.map(({ recoveryMs }) => recoveryMs));
    return { tenant, records, judged, recoveriesMs };
  });
  return { outages, tenants };
}

function summarise(spec: LadderRowSpec, seen: LadderSeen, log: LadderLog): RowResult {
  const { outages, tenants } = seen;
  const counted = tenants[0]?.judged.filter(saysSomething).length ?? 0;
  const all = tenants.flatMap(({ records }) => records);
  const lost = all.filter((record) => isLostOnLadder(record, { outages, areRefusalsAllowed: spec.areRefusalsAllowed }));
  const nearest = (record: { readonly endedAtMs: number }): number => outages.findLast(({ atMs }) => atMs <= record.endedAtMs)?.atMs ?? 0;
  return {
    row: spec.row,
    n: counted,
    bars: [
      atLeast("rounds that count", counted, { min: spec.rounds, unit: "rounds" }),
      atMost("requests lost", lost.length, { max: 0, unit: "requests" }),
      atMost("wrong answers", all.filter(({ outcome }) => outcome === "wrong").length, { max: 0, unit: "requests" }),
      atMost("rounds after which somebody is not at rest again", log.problems.length, { max: 0, unit: "rounds" }),
      ...spec.bars(seen),
    ],
    notes: [
      ...tenants.map((tenant) => noteTenant(tenant, outages)),
      `everybody at rest again ${spread(log.atRestAfterMs)} after the fault`,
      ...(spec.notes?.(seen) ?? []),
      ...log.problems,
      ...describeSlowest(tenants.flatMap(({ judged }) => judged.flatMap(({ affected }) => affected))),
      ...describeLost(lost, nearest),
    ],
    control: null,
  };
}

function noteTenant({ tenant, records, judged, recoveriesMs }: TenantSeen, outages: readonly Outage[]): string {
  const servedMs = judged.map(({ servedAtMs }, index) => (servedAtMs ?? Number.POSITIVE_INFINITY) - (outages[index]?.atMs ?? 0));
  const shares = ["hot", "warm", "cold"].map((level) => `${level} ${records.filter((record) => record.level === level).length}`);
  return (
    `${tenant}: ${recoveriesMs.length} affected of ${records.length} requests (${shares.join(", ")}); ` +
    `recovery less prefill ${spread(recoveriesMs)}; first served again ${spread(servedMs)} after the fault`
  );
}

const spread = (values: readonly number[]): string =>
  `p50 / p99 / max ${[0.5, 0.99, 1].map((ratio) => (percentile(values, ratio) ?? 0).toFixed(0)).join(" / ")} ms`;
