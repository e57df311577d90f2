import { formatViolation } from "../../src/simulator/checker.ts";
import { runCutOffScenario } from "../../src/simulator/cut-off-scenario.ts";
import { FOUND_WITHIN_MS, HARD_FAULTS } from "../../src/simulator/noise-fault.ts";
import { runNoiseScenario } from "../../src/simulator/noise-scenario.ts";
import { OUTAGE_CLASSES } from "../../src/simulator/no-store-faults.ts";
import { runNoStoreScenario } from "../../src/simulator/no-store-scenario.ts";
import type { RowReport } from "../../src/simulator/row-report.ts";
import { runSplitBrainScenario } from "../../src/simulator/split-brain-scenario.ts";
import { atLeast, atMost, type Bar } from "../failover/report.ts";
import { largest, percentile, sum } from "../failover/statistics.ts";
import { countsBy, sumOf, timesOf, violationsOf, type SeedEntry } from "./row-seeds.ts";

/** A row: worlds of many seeds, and what they must come to together. A further row is one more entry of `ROWS`. */
export interface ReliabilityRow {
  readonly name: string;
  /** How many seeds prove it. */
  readonly seeds: number;
  /** Virtual seconds of one seed; null = the row has no length. */
  readonly seconds: number | null;
  run(seed: number, seconds: number): Promise<RowReport>;
  /** @param entries one of each seed that has run. */
  judge(entries: readonly SeedEntry[]): readonly Bar[];
}

const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const none = (name: string, value: number, unit: string): Bar => atMost(name, value, { max: 0, unit });

const healthyNoise: ReliabilityRow = {
  name: "healthy-noise",
  seeds: 1_000,
  seconds: HOUR_SECONDS,
  run: (seed, seconds) => runNoiseScenario({ seed, calmMs: seconds * 1_000 }),
  judge: (entries) => [
    atLeast("hours of noise", sumOf(entries, "calm seconds") / HOUR_SECONDS, { min: 1_000, unit: "virtual hours" }),
    none("failovers, ejections and restarts for nothing", violationsOf(entries, FOR_NOTHING), "times"),
    none("requests lost", violationsOf(entries, [", lost:"]), "requests"),
    ...HARD_FAULTS.flatMap((fault) => foundBars(entries, fault)),
    none("all violations", violationsOf(entries), "violations"),
  ],
};
const FOR_NOTHING = [
  "gateway.ejected",
  "gateway.wake-begun",
  "gateway.suspects-itself",
  "engine-ended",
  ", level:",
  ", counted moves:",
  ", restart:",
  "out for nothing",
];

function foundBars(entries: readonly SeedEntry[], fault: (typeof HARD_FAULTS)[number]): readonly Bar[] {
  const times = timesOf(entries, fault);
  const { p99, max } = FOUND_WITHIN_MS[fault];
  const injected = sumOf(entries, `fault ${fault}`);
  const inTime = times.filter((ms) => ms <= max).length;
  return [
    atLeast(`${fault}: found in time`, injected === 0 ? 0 : (100 * inTime) / injected, { min: 100, unit: `% of ${injected}` }),
    atMost(`${fault}: found after, p99`, percentile(times, 0.99), { max: p99, unit: "ms" }),
    atMost(`${fault}: found after, largest`, largest(times), { max, unit: "ms" }),
  ];
}

const noStore: ReliabilityRow = {
  name: "no-store",
  // A class that finds nobody left to meet is passed over: so many give each its ten.
  seeds: 33,
  seconds: DAY_SECONDS,
  run: (seed, seconds) => runNoStoreScenario({ seed, outageMs: seconds * 1_000 }),
  judge: (entries) => {
    const classes = countsBy(entries, "fault ");
    const seconds = entries.map(({ counts }) => counts["seconds without the store"] ?? 0);
    const whole = timesOf(entries, "whole after");
    return [
      atLeast("shortest outage", entries.length === 0 ? 0 : Math.min(...seconds) / HOUR_SECONDS, { min: 24, unit: "virtual hours" }),
      atLeast("faults in outages", sum([...classes.values()]), { min: 200, unit: "faults" }),
      atLeast("faults of the rarest class", Math.min(...OUTAGE_CLASSES.map((name) => classes.get(name) ?? 0)), { min: 10, unit: "faults" }),
      atLeast("sleepers woken in outages", sumOf(entries, "wakes in the outage"), { min: 1, unit: "wakes" }),
      none(
        "wakes beyond grants, engines started without an intent, engines that nobody claimed",
        violationsOf(entries, OUTAGE_RULES),
        "times",
      ),
      none("requests that somebody could serve, or that were not refused as they must", violationsOf(entries, ["request "]), "requests"),
      atMost("whole again after the store's return, largest", whole.length < entries.length ? null : largest(whole), {
        max: 200_000,
        unit: "ms",
      }),
      none("all violations", violationsOf(entries), "violations"),
    ];
  },
};
const OUTAGE_RULES = [", grants:", ", started:", ", unclaimed:"];

const gatewayCutOff: ReliabilityRow = {
  name: "gateway-cut-off",
  seeds: 300,
  seconds: null,
  run: (seed) => runCutOffScenario({ seed }),
  judge: (entries) => [
    atLeast("seeds", entries.length, { min: 300, unit: "seeds" }),
    none("activations by the gateway that is cut off", sumOf(entries, "activations by the one cut off"), "activations"),
    atLeast("activations by the others, where no control plane does it", sumOf(entries, "activations by others"), {
      min: Math.max(1, sumOf(entries, "without a control plane")),
      unit: "activations",
    }),
    none("all violations", violationsOf(entries), "violations"),
  ],
};

const splitBrain: ReliabilityRow = {
  name: "split-brain",
  seeds: 2_000,
  seconds: null,
  run: async (seed) => {
    const { violations, doubleActions, takeovers, refusals, movesMeanwhile, hash, virtualMs } = await runSplitBrainScenario(seed);
    return {
      violations: [...violations.map(formatViolation), ...doubleActions.map((one) => `double action: ${one}`)],
      counts: {
        "double actions": doubleActions.length,
        takeovers,
        "seeds with a takeover": takeovers > 0 ? 1 : 0,
        "late acts refused by the old leader itself": refusals.byItself,
        "late acts refused by receivers": refusals.byReceivers,
        "late acts refused by gateways": refusals.byGateways,
        "moves while it stood still": movesMeanwhile,
      },
      timesMs: {},
      virtualMs,
      hash,
    };
  },
  judge: (entries) => [
    atLeast("seeds in which the stand-by took over", sumOf(entries, "seeds with a takeover"), { min: 2_000, unit: "seeds" }),
    none("double actions", sumOf(entries, "double actions"), "actions"),
    atLeast("late acts that only receivers or gateways stopped", lateActs(entries), { min: 1, unit: "acts" }),
    atLeast("moves while the old leader stood still", sumOf(entries, "moves while it stood still"), { min: 1, unit: "moves" }),
    none("all violations", violationsOf(entries), "violations"),
  ],
};
const lateActs = (entries: readonly SeedEntry[]): number =>
  sumOf(entries, "late acts refused by receivers") + sumOf(entries, "late acts refused by gateways");

export const ROWS: readonly ReliabilityRow[] = [healthyNoise, noStore, gatewayCutOff, splitBrain];
