import { createFleetIndex, releaseShape, type FleetNode, type PlacementShape } from "../../src/placement/fleet-index.ts";
import { WorkloadMix } from "../../src/placement/workload-mix.ts";
import { milliOf } from "./arrivals.ts";
import { comeAndLeave, type ComeAndLeaveOutcome, type Life } from "./come-and-leave.ts";
import { createPolicy, type PolicyName } from "./policies.ts";
import type { Trace } from "./read-openb.ts";
import { PODS_PER_NODE_MAX } from "./replay-log.ts";

/** Longer lives end here: uncapped, one pod in a hundred holds nine tenths of the GPU time, and nothing settles. */
export const LIFETIME_MAX_SECONDS = 3_600;
/** The paper's typical workload. */
const TYPICAL_COVERAGE = 0.95;

export interface DepartureInput {
  readonly nodes: readonly FleetNode[];
  readonly lives: readonly Life<PlacementShape>[];
  readonly policy: PolicyName;
  /** GPU time asked for, of what the fleet has. */
  readonly load: number;
  readonly seed: number;
}

export interface DepartureOutcome extends ComeAndLeaveOutcome {
  /** Of the requests for several GPUs, those that found no place, in percent; 0 when nobody asks for several. */
  readonly gangsRejected: number;
}

/** Requests come and leave on one fleet, all of them placed by one policy. */
export function runDepartures({ nodes, lives, policy, load, seed }: DepartureInput): DepartureOutcome {
  const fleet = createFleetIndex(nodes, { boundMax: PODS_PER_NODE_MAX });
  const mix = new WorkloadMix();
  for (const { asked } of lives) mix.add(asked);
  const place = createPolicy(policy, { fleet, shares: mix.shares(TYPICAL_COVERAGE), seed });
  const gangs = { asked: 0, rejected: 0 };
  const outcome = comeAndLeave({
    lives,
    capacity: fleet.freeMilliOf.reduce((sum, milli) => sum + milli, 0),
    load,
    seed,
    warmUpSeconds: 1.5 * LIFETIME_MAX_SECONDS,
    measuredSeconds: 1.5 * LIFETIME_MAX_SECONDS,
    place(shape) {
      const chosen = place(shape);
      if (shape.gpuCount > 1) {
        gangs.asked++;
        if (chosen === null) gangs.rejected++;
      }
      return chosen === null ? null : () => releaseShape(fleet, shape, chosen);
    },
  });
  return { ...outcome, gangsRejected: gangs.asked === 0 ? 0 : (100 * gangs.rejected) / gangs.asked };
}

/** Shape and lifetime together, as in the trace. @throws Error when it has no times. */
export function livesOf({ name, pods, lifetimesSeconds }: Trace): readonly Life<PlacementShape>[] {
  return pods.map((asked, at) => {
    const seconds = lifetimesSeconds[at] ?? null;
    if (seconds === null) throw new Error(`The trace ${name} has no times; departures need them. Use default.`);
    return { asked, seconds: Math.min(Math.max(1, seconds), LIFETIME_MAX_SECONDS), weight: milliOf(asked) };
  });
}
