import type { Progress } from "../failover/progress.ts";
import { comparedRows } from "./compared-rows.ts";
import type { BenchOptions } from "./options.ts";
import { CHOOSERS, fillByPlanner, turnOverByPlanner, type PlannerFill, type PlannerRun, type PlannerTurnover } from "./planner-run.ts";
import type { PlacementRow } from "./rows.ts";

const MIXES = ["services", "inference"];
const LOADS = [0.9, 1];
const OURS = "planner";

/** The functions that place real services, against policies of this bench under the same rules; on a fleet of our own, so without the trace. */
export function plannerRows({ seeds }: BenchOptions, progress: Progress): readonly PlacementRow[] {
  const runsOf = <Outcome>(
    setting: string,
    of: Pick<PlannerRun, "mix" | "names">,
    run: (one: PlannerRun) => Outcome,
  ): ReadonlyMap<string, readonly Outcome[]> =>
    new Map(
      CHOOSERS.map((chooser) => {
        progress.update(`${setting}, ${chooser}`);
        return [chooser, seeds.map((seed) => run({ ...of, chooser, seed }))];
      }),
    );
  const filled = [
    ...MIXES.map((mix) => ({ setting: `planner ${mix} filled`, mix, names: "in-turn" as const })),
    { setting: "planner services, named by zone, filled", mix: "services", names: "by-zone" as const },
  ].map(({ setting, ...of }) => ({ setting, runs: runsOf(setting, of, fillByPlanner) }));
  return [
    ...filled.flatMap(({ setting, runs }) => filledRows(setting, runs)),
    ...fragileRow(filled.flatMap(({ runs }) => [...runs.values()].flat())),
    ...MIXES.flatMap((mix) =>
      LOADS.flatMap((load) => {
        const setting = `planner ${mix} departures ${load}`;
        return turnoverRows(
          setting,
          runsOf(setting, { mix, names: "in-turn" }, (run) => turnOverByPlanner(run, load)),
        );
      }),
    ),
  ];
}

function filledRows(setting: string, runs: ReadonlyMap<string, readonly PlannerFill[]>): readonly PlacementRow[] {
  return comparedRows({ setting, runs, ours: OURS, isPerfect: () => false }, [
    { what: "GPUs in use at the first refusal", unit: "%", of: ({ firstRefusal }) => firstRefusal, better: "higher", mustGain: true },
    { what: "GPUs in use at a tenth refused", unit: "%", of: ({ tenthRefusal }) => tenthRefusal, better: "higher", mustGain: true },
  ]);
}

function turnoverRows(setting: string, runs: ReadonlyMap<string, readonly PlannerTurnover[]>): readonly PlacementRow[] {
  return comparedRows({ setting, runs, ours: OURS, isPerfect: ({ rejected }) => rejected === 0 }, [
    { what: "allocation over time", unit: "%", of: ({ allocation }) => allocation, better: "higher", mustGain: true },
    { what: "GPU milli rejected", unit: "%", of: ({ rejected }) => rejected, better: "lower", mustGain: true },
  ]);
}

/** The rules are the same for everybody, so nobody may break them. */
function fragileRow(fills: readonly PlannerFill[]): readonly PlacementRow[] {
  const value = fills.reduce((sum, { fragile }) => sum + fragile, 0);
  return [{ name: "planner: services that lose two levels with one node", value, unit: "services", must: "<= 0", pass: value === 0 }];
}
