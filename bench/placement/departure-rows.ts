import type { FleetNode, PlacementShape } from "../../src/placement/fleet-index.ts";
import type { Progress } from "../failover/progress.ts";
import type { Life } from "./come-and-leave.ts";
import { comparedRows, type Measure } from "./compared-rows.ts";
import { livesOf, runDepartures, type DepartureOutcome } from "./departures.ts";
import { INFERENCE_MIXES, livesOfShapes } from "./gang-mixes.ts";
import type { BenchOptions } from "./options.ts";
import { OURS, type PolicyName } from "./policies.ts";
import { readNodes, readTrace, traceNames } from "./read-openb.ts";
import type { PlacementRow } from "./rows.ts";

const DEPARTURE_LOADS = [0.8, 0.9, 0.95, 1, 1.1];
const GANG_LOADS = [0.9, 1];
/** Pod lists with requests for several GPUs; those that the folder has are used. */
const GANG_TRACES = ["multigpu20", "multigpu50"];
/** The only list that has times and names no models. */
const TIMED_TRACE = "default";
/** FGD, what it is compared with, and ours; the paper's others take long and show nothing more. */
const POLICIES: ReadonlySet<PolicyName> = new Set(["random", "best-fit", "fgd", OURS]);

const ALLOCATION: Measure<DepartureOutcome> = {
  what: "allocation over time",
  unit: "%",
  of: ({ allocation }) => allocation,
  better: "higher",
  mustGain: true,
};
const REJECTED: Measure<DepartureOutcome> = {
  what: "GPU milli rejected",
  unit: "%",
  of: ({ rejected }) => rejected,
  better: "lower",
  mustGain: true,
};
const DRIFT: Measure<DepartureOutcome> = {
  what: "drift of the allocation",
  unit: "points",
  of: ({ driftPoints }) => driftPoints,
  better: "neither",
  mustGain: false,
};
const GANGS: Measure<DepartureOutcome> = {
  what: "requests for several GPUs rejected",
  unit: "%",
  of: ({ gangsRejected }) => gangsRejected,
  better: "lower",
  mustGain: false,
};

/** Requests of the default trace come and leave. */
export function departureRows(options: BenchOptions, progress: Progress): readonly PlacementRow[] {
  const lives = livesOf(readTrace(options.dir, TIMED_TRACE));
  const nodes = halfOf(readNodes(options.dir));
  return DEPARTURE_LOADS.flatMap((load) =>
    settingRows({ setting: `departures ${load}`, nodes, lives, load }, [ALLOCATION, REJECTED, GANGS, DRIFT], { options, progress }),
  );
}

/** Requests for 2, 4 and 8 whole GPUs of one node among shared ones, of four mixes. */
export function gangRows(options: BenchOptions, progress: Progress): readonly PlacementRow[] {
  const timed = readTrace(options.dir, TIMED_TRACE);
  const nodes = halfOf(readNodes(options.dir));
  const known = traceNames(options.dir);
  const mixes = [
    ...GANG_TRACES.filter((trace) => known.includes(trace)).map((trace) => ({ mix: trace, shapes: readTrace(options.dir, trace).pods })),
    ...INFERENCE_MIXES.map(([mix, shapes]) => ({ mix, shapes })),
  ];
  return mixes.flatMap(({ mix, shapes }) =>
    GANG_LOADS.flatMap((load) => {
      const setting = { setting: `gangs ${mix} ${load}`, nodes, lives: livesOfShapes(shapes, timed), load };
      return settingRows(setting, [ALLOCATION, REJECTED, GANGS], { options, progress });
    }),
  );
}

/** Every other node, models in the same proportion: as many runs again in the same time. */
const halfOf = (nodes: readonly FleetNode[]): readonly FleetNode[] => nodes.filter((_, at) => at % 2 === 0);

interface Setting {
  readonly setting: string;
  readonly nodes: readonly FleetNode[];
  readonly lives: readonly Life<PlacementShape>[];
  readonly load: number;
}

function settingRows(
  { setting, nodes, lives, load }: Setting,
  measures: readonly Measure<DepartureOutcome>[],
  { options, progress }: { readonly options: BenchOptions; readonly progress: Progress },
): readonly PlacementRow[] {
  const runs = new Map<string, readonly DepartureOutcome[]>();
  for (const policy of options.policies.filter((name) => POLICIES.has(name))) {
    const outcomes = options.seeds.map((seed) => {
      progress.update(`${setting}, ${policy}, seed ${seed}`);
      return runDepartures({ nodes, lives, policy, load, seed });
    });
    runs.set(policy, outcomes);
  }
  return comparedRows({ setting, runs, ours: OURS, isPerfect: ({ rejected }) => rejected === 0 }, measures);
}
