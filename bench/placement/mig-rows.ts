import { MIG_COMPUTE_SLICES, MIG_PROFILES, MIG_SHAPES, type MigProfile } from "../../src/api/mig-geometry.ts";
import type { Progress } from "../failover/progress.ts";
import { seeded } from "../failover/seeded.ts";
import { MIXES, type Mix } from "../mig/served-slices.ts";
import { comeAndLeave, type Life } from "./come-and-leave.ts";
import { comparedRows } from "./compared-rows.ts";
import { createMigPolicy, MIG_POLICY_NAMES, MigFleet, OUR_MIG_POLICY, type MigPolicyName } from "./mig-fleet.ts";
import type { PlacementRow } from "./rows.ts";

const GPU_COUNT = 128;
const CAPACITY_SLICES = GPU_COUNT * MIG_COMPUTE_SLICES;
const LOADS = [0.8, 0.9, 1];
/** Lives are exponential around this, and end at six times it. */
const LIFETIME_MEAN_SECONDS = 600;
const LIFETIME_MAX_SECONDS = 6 * LIFETIME_MEAN_SECONDS;
const WARM_UP_SECONDS = 2 * LIFETIME_MAX_SECONDS;
const MEASURED_SECONDS = 3 * LIFETIME_MAX_SECONDS;
/** Each profile of a mix comes with so many lifetimes. */
const LIVES_EACH = 20;
const LIFETIME_SEED = 7;

interface MigOutcome {
  /** Compute slices, in percent of the fleet's: when as many were asked for as there are, or over time. */
  readonly given: number;
  /** Of the compute slices asked for, in percent. */
  readonly rejected: number;
}

interface MigRun {
  readonly mix: Mix;
  readonly policy: MigPolicyName;
  readonly seed: number;
}

/** Instances asked for on a fleet of MIG GPUs, that stay for good, or that leave. */
export function migRows(seeds: readonly number[], progress: Progress): readonly PlacementRow[] {
  return Object.entries(MIXES).flatMap(([name, mix]) => {
    const rows = (setting: string, run: (of: MigRun) => MigOutcome): readonly PlacementRow[] => {
      progress.update(setting);
      const runs = new Map<string, readonly MigOutcome[]>(
        MIG_POLICY_NAMES.map((policy) => [policy, seeds.map((seed) => run({ mix, policy, seed }))]),
      );
      return comparedRows({ setting, runs, ours: OUR_MIG_POLICY, isPerfect: ({ rejected }) => rejected === 0 }, [
        { what: "compute slices given", unit: "%", of: ({ given }) => given, better: "higher", mustGain: true },
        { what: "compute slices rejected", unit: "%", of: ({ rejected }) => rejected, better: "lower", mustGain: true },
      ]);
    };
    return [
      ...rows(`mig ${name} filled`, fill),
      ...LOADS.flatMap((load) => rows(`mig ${name} departures ${load}`, (run) => leave(run, load))),
    ];
  });
}

const fleetOf = ({ mix, policy, seed }: MigRun): MigFleet =>
  new MigFleet(GPU_COUNT, createMigPolicy(policy, mix, seeded(seed ^ POLICY_STREAM)));
/** Other chance than that of the arrivals. */
const POLICY_STREAM = 0x5eed;

/** Until as many compute slices were asked for as there are. */
function fill(run: MigRun): MigOutcome {
  const profiles = MIG_PROFILES.flatMap((profile) => Array.from({ length: run.mix[profile] ?? 0 }, () => profile));
  const random = seeded(run.seed);
  const fleet = fleetOf(run);
  let asked = 0;
  let given = 0;
  while (asked < CAPACITY_SLICES) {
    const profile = profiles[Math.floor(random() * profiles.length)] ?? "1g";
    const slices = MIG_SHAPES[profile].computeSlices;
    asked += slices;
    if (fleet.place(profile) !== null) given += slices;
  }
  return { given: (100 * given) / CAPACITY_SLICES, rejected: 100 * (1 - given / asked) };
}

function leave(run: MigRun, load: number): MigOutcome {
  const fleet = fleetOf(run);
  const { allocation, rejected } = comeAndLeave({
    lives: livesOf(run.mix),
    capacity: CAPACITY_SLICES,
    load,
    seed: run.seed,
    warmUpSeconds: WARM_UP_SECONDS,
    measuredSeconds: MEASURED_SECONDS,
    place: (profile) => fleet.place(profile),
  });
  return { given: allocation, rejected };
}

function livesOf(mix: Mix): readonly Life<MigProfile>[] {
  const random = seeded(LIFETIME_SEED);
  return MIG_PROFILES.flatMap((asked) =>
    Array.from({ length: LIVES_EACH * (mix[asked] ?? 0) }, () => ({
      asked,
      seconds: Math.min(LIFETIME_MAX_SECONDS, -LIFETIME_MEAN_SECONDS * Math.log(1 - random())),
      weight: MIG_SHAPES[asked].computeSlices,
    })),
  );
}
