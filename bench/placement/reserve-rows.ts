import type { Progress } from "../failover/progress.ts";
import { comparedRows } from "./compared-rows.ts";
import type { BenchOptions } from "./options.ts";
import { OURS, type PolicyName } from "./policies.ts";
import { reserveRun } from "./reserve-run.ts";
import type { PlacementRow } from "./rows.ts";
import { fragileRow, turnedOverRows } from "./service-rows.ts";
import { fillWithServices, turnServicesOver, type ServiceFill, type ServiceRun } from "./service-run.ts";

const LOADS = [0.8, 0.9, 1];
const POLICIES: ReadonlySet<PolicyName> = new Set(["random", "best-fit", "fgd", OURS]);

/** Services with standbys and reserves that must stand apart; on a fleet of our own, so without the trace. */
export function reserveRows({ policies, seeds }: BenchOptions, progress: Progress): readonly PlacementRow[] {
  const runsOf = <Outcome>(setting: string, run: (of: ServiceRun) => Outcome): ReadonlyMap<string, readonly Outcome[]> => {
    progress.update(setting);
    return new Map(
      policies.filter((name) => POLICIES.has(name)).map((policy) => [policy, seeds.map((seed) => run(reserveRun({ policy, seed })))]),
    );
  };
  const filled = runsOf("reserves filled", fillWithServices);
  return [
    ...filledRows(filled),
    fragileRow("reserves", [...filled.values()].flat()),
    ...LOADS.flatMap((load) => {
      const setting = `reserves departures ${load}`;
      const runs = runsOf(setting, (run) => turnServicesOver(run, { load, warmUp: 2, measured: 3 }));
      return turnedOverRows(setting, runs, OURS);
    }),
  ];
}

function filledRows(runs: ReadonlyMap<string, readonly ServiceFill[]>): readonly PlacementRow[] {
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
