import type { Progress } from "../failover/progress.ts";
import { comparedRows } from "./compared-rows.ts";
import type { BenchOptions } from "./options.ts";
import { OURS, type PolicyName } from "./policies.ts";
import { fillWithServices, turnServicesOver, type ReserveDepartures, type ReserveFill, type ReserveRun } from "./reserve-run.ts";
import type { PlacementRow } from "./rows.ts";

const LOADS = [0.8, 0.9, 1];
const POLICIES: ReadonlySet<PolicyName> = new Set(["random", "best-fit", "fgd", OURS]);

/** Services with standbys and reserves that must stand apart; on a fleet of our own, so without the trace. */
export function reserveRows({ policies, seeds }: BenchOptions, progress: Progress): readonly PlacementRow[] {
  const runsOf = <Outcome>(setting: string, run: (of: ReserveRun) => Outcome): ReadonlyMap<string, readonly Outcome[]> => {
    progress.update(setting);
    return new Map(policies.filter((name) => POLICIES.has(name)).map((policy) => [policy, seeds.map((seed) => run({ policy, seed }))]));
  };
  const filled = runsOf("reserves filled", fillWithServices);
  return [
    ...filledRows(filled),
    ...fragileRow(filled),
    ...LOADS.flatMap((load) =>
      turnedOverRows(
        `reserves departures ${load}`,
        runsOf(`reserves departures ${load}`, (run) => turnServicesOver(run, load)),
      ),
    ),
  ];
}

function filledRows(runs: ReadonlyMap<string, readonly ReserveFill[]>): readonly PlacementRow[] {
  return comparedRows({ setting: "reserves filled", runs, ours: OURS, isPerfect: () => false }, [
    { what: "GPUs in use at the first refusal", unit: "%", of: (run) => run.firstRefusal, better: "higher", mustGain: true },
    { what: "services on 100 GPUs then", unit: "services", of: (run) => run.servicesAtFirst, better: "higher", mustGain: true },
    { what: "GPUs in use at a tenth refused", unit: "%", of: (run) => run.tenthRefusal, better: "higher", mustGain: true },
    // No must: whoever has refused the large ones goes on with small ones for longer.
    {
      what: "services on 100 GPUs at a tenth refused",
      unit: "services",
      of: (run) => run.servicesAtTenth,
      better: "higher",
      mustGain: false,
    },
  ]);
}

function turnedOverRows(setting: string, runs: ReadonlyMap<string, readonly ReserveDepartures[]>): readonly PlacementRow[] {
  return comparedRows({ setting, runs, ours: OURS, isPerfect: ({ rejected }) => rejected === 0 }, [
    { what: "allocation over time", unit: "%", of: ({ allocation }) => allocation, better: "higher", mustGain: true },
    { what: "GPU milli rejected", unit: "%", of: ({ rejected }) => rejected, better: "lower", mustGain: true },
  ]);
}

/** The rules are the same for everybody, so nobody may break them. */
function fragileRow(runs: ReadonlyMap<string, readonly ReserveFill[]>): readonly PlacementRow[] {
  const value = [...runs.values()].flat().reduce((sum, { fragile }) => sum + fragile, 0);
  return [{ name: "reserves: services that lose two levels with one node", value, unit: "services", must: "<= 0", pass: value === 0 }];
}
