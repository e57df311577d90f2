import type { PlacementShape } from "../../src/placement/fleet-index.ts";
import { seeded } from "../failover/seeded.ts";

/** Requested GPU milli up to which arrivals are made, of the fleet's. */
const LOAD_MAX = 1.3;

/** As in the FGD paper: the trace in an order of the seed's, then drawn again from it, up to 1.3 times what the fleet has. */
export function makeArrivals(pods: readonly PlacementShape[], capacityMilli: number, seed: number): readonly PlacementShape[] {
  const random = seeded(seed);
  const arrivals = shuffled(pods, random);
  const limitMilli = LOAD_MAX * capacityMilli;
  let askedMilli = arrivals.reduce((sum, pod) => sum + milliOf(pod), 0);
  // A trace that asks for more than that is thinned.
  while (askedMilli > limitMilli) {
    const [gone] = arrivals.splice(Math.floor(random() * arrivals.length), 1);
    if (gone === undefined) break;
    askedMilli -= milliOf(gone);
    if (askedMilli <= limitMilli) return arrivals;
  }
  for (;;) {
    const pod = pods[Math.floor(random() * pods.length)];
    // Of one GPU, as the paper's code has it.
    if (pod === undefined || askedMilli + pod.gpuMilli > limitMilli) return arrivals;
    arrivals.push(pod);
    askedMilli += milliOf(pod);
  }
}

export const milliOf = ({ gpuCount, gpuMilli }: PlacementShape): number => gpuCount * gpuMilli;

function shuffled(pods: readonly PlacementShape[], random: () => number): PlacementShape[] {
  const order = [...pods];
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    const [left, right] = [order[at], order[other]];
    if (left === undefined || right === undefined) continue;
    order[at] = right;
    order[other] = left;
  }
  return order;
}
