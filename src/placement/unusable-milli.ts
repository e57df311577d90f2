import type { ModelMix } from "./workload-mix.ts";

/** What is free on one node. */
export interface NodeFree {
  cpuMilli: number;
  gpuCount: number;
  readonly gpuMilli: Int32Array;
}

export interface UnusableWeights {
  /** 0..1: how far what is usable is also bounded by the CPU: a node with CPU for two requests more can use no more than their GPU milli,
   * however many GPUs idle. 0 = as in the paper. */
  readonly cpuWeight: number;
  /** 0..1: a node that lacks a GPU for a request, but is large enough, counts as usable by so much, one that lacks two by the square:
   * what stands there will leave. 0 = as in the paper. */
  readonly soonRatio: number;
}

/** FGD's fragmentation. */
export const AS_IN_PAPER: UnusableWeights = { cpuWeight: 0, soonRatio: 0 };

// Kept between calls: one per distinct GPU share of a mix.
let usableMilli = new Float64Array(64);
let usableCount = new Uint16Array(64);

/**
 * Expected idle GPU milli of a node that the next request of this mix could not use.
 * A request without GPUs or for other models can use none; one that the node's CPU or count of GPUs cannot carry, none; any other, the
 * GPUs that have at least its share left: the fragmentation of "Beware of Fragmentation" (FGD, USENIX ATC'23).
 */
export function unusableMilli(mix: ModelMix, free: NodeFree, { cpuWeight, soonRatio }: UnusableWeights): number {
  let idle = 0;
  for (let gpu = 0; gpu < free.gpuCount; gpu++) idle += free.gpuMilli[gpu] ?? 0;
  if (idle === 0) return 0;
  fillUsable(mix, free);
  let unusable = mix.foreignShare * idle;
  for (let at = 0; at < mix.share.length; at++) {
    const index = mix.milliIndexOf[at] ?? 0;
    const gpuCount = mix.gpuCount[at] ?? 0;
    const lacking = gpuCount - (usableCount[index] ?? 0);
    let usable = 0;
    if (lacking > 0) {
      if (soonRatio > 0 && gpuCount <= free.gpuCount) usable = (usableMilli[index] ?? 0) * soonRatio ** lacking;
    } else if ((mix.cpuMilli[at] ?? 0) <= free.cpuMilli) {
      usable = usableMilli[index] ?? 0;
      const carried = free.cpuMilli * (mix.gpuMilliPerCpuMilli[at] ?? 0);
      if (carried < usable) usable -= cpuWeight * (usable - carried);
    }
    unusable += (mix.share[at] ?? 0) * (idle - usable);
  }
  return unusable;
}

function fillUsable({ milli }: ModelMix, { gpuCount, gpuMilli }: NodeFree): void {
  if (milli.length > usableMilli.length) {
    usableMilli = new Float64Array(milli.length * 2);
    usableCount = new Uint16Array(milli.length * 2);
  }
  for (let index = 0; index < milli.length; index++) {
    const least = milli[index] ?? 0;
    let sum = 0;
    let count = 0;
    for (let gpu = 0; gpu < gpuCount; gpu++) {
      const left = gpuMilli[gpu] ?? 0;
      if (left < least) continue;
      sum += left;
      count++;
    }
    usableMilli[index] = sum;
    usableCount[index] = count;
  }
}
