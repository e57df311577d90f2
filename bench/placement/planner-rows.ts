import type { Progress } from "../failover/progress.ts";
import { comparedRows } from "./compared-rows.ts";
import type { BenchOptions } from "./options.ts";
import { CHOOSERS, plannerRun, type PlannerSetting } from "./planner-run.ts";
import type { PlacementRow } from "./rows.ts";
import { fragileRow, turnedOverRows } from "./service-rows.ts";
import { fillWithServices, turnServicesOver, type ServiceFill, type ServiceRun } from "./service-run.ts";

const MIXES = ["services", "inference"];
const LOADS = [0.9, 1];
const OURS = "planner";

/** The functions that place real services, against policies of this bench under the same rules; on a fleet of our own, so without the trace. */
export function plannerRows({ seeds }: BenchOptions, progress: Progress): readonly PlacementRow[] {
  const runsOf = <Outcome>(
    setting: string,
    of: Pick<PlannerSetting, "mix" | "names">,
    run: (one: ServiceRun) => Outcome,
  ): ReadonlyMap<string, readonly Outcome[]> =>
    new Map(
      CHOOSERS.map((chooser) => {
        progress.update(`${setting}, ${chooser}`);
        return [chooser, seeds.map((seed) => run(plannerRun({ ...of, chooser, seed })))];
      }),
    );
  const filled = [
    ...MIXES.map((mix) => ({ setting: `planner ${mix} filled`, mix, names: "in-turn" as const })),
    { setting: "planner services, named by zone, filled", mix: "services", names: "by-zone" as const },
  ].map(({ setting, ...of }) => ({ setting, runs: runsOf(setting, of, fillWithServices) }));
  return [
    ...filled.flatMap(({ setting, runs }) => filledRows(setting, runs)),
    fragileRow(
      "planner",
      filled.flatMap(({ runs }) => [...runs.values()].flat()),
    ),
    ...MIXES.flatMap((mix) =>
      LOADS.flatMap((load) => {
        const setting = `planner ${mix} departures ${load}`;
        const runs = runsOf(setting, { mix, names: "in-turn" }, (run) => turnServicesOver(run, { load, warmUp: 1, measured: 2 }));
        return turnedOverRows(setting, runs, OURS);
      }),
    ),
  ];
}

function filledRows(setting: string, runs: ReadonlyMap<string, readonly ServiceFill[]>): readonly PlacementRow[] {
  return comparedRows({ setting, runs, ours: OURS, isPerfect: () => false }, [
    { what: "GPUs in use at the first refusal", unit: "%", of: ({ firstRefusal }) => firstRefusal, better: "higher", mustGain: true },
    { what: "GPUs in use at a tenth refused", unit: "%", of: ({ tenthRefusal }) => tenthRefusal, better: "higher", mustGain: true },
  ]);
}
