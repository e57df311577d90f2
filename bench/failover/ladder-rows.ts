import type { Fault } from "../../src/api/fault.ts";
import { untilSent, type Bench } from "./bench.ts";
import { LADDER_LOAD_MS, LADDER_WAKE_MS } from "./bench-manifests.ts";
import { injectFault } from "./engine-fault.ts";
import { isRefusal } from "./ladder-judge.ts";
import { runLadderRow, type LadderRowSpec, type LadderSeen } from "./ladder-row.ts";
import type { LoadClient } from "./load.ts";
import { enginesOf, killAll, killControlPlane, sleepingWarm } from "./outage-faults.ts";
import type { SeenProcess } from "./process-table.ts";
import { atMost, type Bar, type RowResult } from "./report.ts";
import { setMirror } from "./set-mirror.ts";
import { largest, percentile } from "./statistics.ts";

const RESIDENT = "bench-mixed";
const ASLEEP = "bench-asleep";
const COLD = "bench-cold";
/** What one engine carries beside the requests that waited for it: a batch takes 64. */
const RATE_PER_SECOND = { resident: 50, asleep: 30, cold: 20 };
const RESIDENT_MAX_MS = 300;
const AFTER_WAKE_MAX_MS = 500;
const AFTER_LOAD_MAX_MS = 1_000;
const PLATINUM_RTO_MS = 5_000;
const SETTLED_WITHIN_MS = 10_000;
const WAKE_FAULT_FOR_MS = 60_000;
/** Well under the next rung's own load would prove nothing: such a wake outlives its share of the recovery time. */
const SLOW_WAKE_FACTOR = 60;

const recoveryBar = (seen: LadderSeen, maxMs: number, ratio: number): Bar =>
  atMost(
    ratio === 1 ? "recovery less prefill, largest" : `recovery less prefill, p${ratio * 100}`,
    ratio === 1 ? largest(seen.tenants[0]?.recoveriesMs ?? []) : percentile(seen.tenants[0]?.recoveriesMs ?? [], ratio),
    { max: Math.round(maxMs), unit: "ms" },
  );

/** Engines are looked up, then the control plane dies where the row says so, then the engines die. */
function killing(bench: Bench, what: { readonly tenant: string; readonly levels: readonly string[]; readonly withControlPlane: boolean }) {
  let engines: readonly SeenProcess[] = [];
  const before = async (): Promise<void> => {
    engines = await enginesOf(bench, what.tenant, what.levels);
    if (!what.withControlPlane) killControlPlane(bench);
  };
  const inject = async (): Promise<number> => killAll(engines);
  /** The gateway alone has served again before anybody helps it. */
  const after = async (load: LoadClient, faultAtMs: number): Promise<void> => {
    if (what.withControlPlane) return;
    await untilSent(load, 10);
    await load.until(() => load.settledBeforeMs > faultAtMs + 500, SETTLED_WITHIN_MS);
    bench.platform.up();
  };
  return { before, inject, after };
}

const suffix = (withControlPlane: boolean): string => (withControlPlane ? "" : "-no-control-plane");

/** What a resident warm takes by default, so that its first work is not that of a failover. */
const MIRROR_PERCENT = 10;

/** Both hot engines die at once; the warm one is awake. */
export async function runResidentRow(bench: Bench, rounds: number, withControlPlane: boolean): Promise<RowResult> {
  await setMirror(bench, RESIDENT, MIRROR_PERCENT);
  const result = await runLadderRow(bench, {
    row: `both-hot-killed-resident${suffix(withControlPlane)}`,
    rounds,
    loads: [{ tenant: RESIDENT, ratePerSecond: RATE_PER_SECOND.resident }],
    areRefusalsAllowed: false,
    ...killing(bench, { tenant: RESIDENT, levels: ["hot"], withControlPlane }),
    bars: (seen) => [recoveryBar(seen, RESIDENT_MAX_MS, 0.99)],
  });
  await setMirror(bench, RESIDENT, 0);
  return result;
}

/** Both hot engines die at once; the warm one sleeps. */
export function runAsleepRow(bench: Bench, rounds: number, withControlPlane: boolean): Promise<RowResult> {
  return runLadderRow(bench, {
    row: `both-hot-killed-asleep${suffix(withControlPlane)}`,
    rounds,
    loads: [{ tenant: ASLEEP, ratePerSecond: RATE_PER_SECOND.asleep }],
    areRefusalsAllowed: false,
    ...killing(bench, { tenant: ASLEEP, levels: ["hot"], withControlPlane }),
    bars: (seen) => [recoveryBar(seen, LADDER_WAKE_MS + AFTER_WAKE_MAX_MS, 0.99)],
    notes: () => [`a wake takes ${LADDER_WAKE_MS.toFixed(0)} ms by the configured bytes and link`],
  });
}

/** What was refused recovers when its client comes again: only answers are measured. */
const answeredOnly = (seen: LadderSeen): LadderSeen => ({
  ...seen,
  tenants: seen.tenants.map((tenant) => ({ ...tenant, recoveriesMs: tenant.recoveriesMs.filter(Number.isFinite) })),
});

/** Everything awake and asleep dies at once; something has to be loaded. */
export async function runHotAndWarmRow(bench: Bench, rounds: number, withControlPlane: boolean): Promise<RowResult> {
  const described = withControlPlane ? null : await bench.platform.command("describe", COLD);
  const spec: LadderRowSpec = {
    row: `hot-and-warm-killed${suffix(withControlPlane)}`,
    rounds,
    loads: [{ tenant: COLD, ratePerSecond: RATE_PER_SECOND.cold }],
    areRefusalsAllowed: true,
    ...killing(bench, { tenant: COLD, levels: ["hot", "warm"], withControlPlane }),
    bars: (seen) =>
      described === null ? [recoveryBar(answeredOnly(seen), LADDER_LOAD_MS + AFTER_LOAD_MAX_MS, 0.99)] : [saysWhatItNeeds(described.text)],
    notes: (seen) => [
      `a load takes ${LADDER_LOAD_MS.toFixed(0)} ms by the configured bytes and disk; ` +
        `${seen.tenants[0]?.records.filter(isRefusal).length ?? 0} requests were refused with Retry-After`,
    ],
  };
  return runLadderRow(bench, spec);
}

/** A promise that needs the control plane says so before it is needed. */
export function saysWhatItNeeds(described: string): Bar {
  const lines = described.split("\n");
  const says = lines.some((line) => /cold/i.test(line) && /control plane/i.test(line));
  return {
    name: "describe says beforehand that cold needs the control plane",
    value: says ? 1 : 0,
    unit: "(1 = does)",
    must: "= 1",
    pass: says,
  };
}

const WAKE_FAULTS = {
  "wake-garbage": { kind: "garbage-after-wake" },
  "wake-failed": { kind: "failed-wake" },
  "wake-slow": { kind: "slow-wake", factor: SLOW_WAKE_FACTOR },
} as const satisfies Record<string, Fault>;
export type WakeRow = keyof typeof WAKE_FAULTS;

/** Both hot engines die at once, and the warm one does not wake as it should: the next rung serves, and no client sees a wrong token. */
export function runWakeRow(bench: Bench, rounds: number, row: WakeRow): Promise<RowResult> {
  const kill = killing(bench, { tenant: ASLEEP, levels: ["hot"], withControlPlane: true });
  return runLadderRow(bench, {
    row,
    rounds,
    loads: [{ tenant: ASLEEP, ratePerSecond: RATE_PER_SECOND.cold }],
    areRefusalsAllowed: false,
    before: async () => {
      await injectFault((await sleepingWarm(bench, ASLEEP)).endpoint, WAKE_FAULTS[row], WAKE_FAULT_FOR_MS);
      await kill.before();
    },
    inject: kill.inject,
    bars: (seen) => [recoveryBar(seen, PLATINUM_RTO_MS, 1)],
  });
}
