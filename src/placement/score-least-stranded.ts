import { fullestGpu, isShared, WHOLE_GPU_MILLI, type FleetIndex } from "./fleet-index.ts";
import type { ScoringPolicy } from "./scoring-policy.ts";
import { UnusableScorer } from "./unusable-scorer.ts";
import { LargeStock } from "./large-stock.ts";
import { largestShape, mixOfModel, scarcityOfModels, weighedByGpus, WorkloadMix, type ShapeShare } from "./workload-mix.ts";

// Frozen. Chosen on orders of arrival 1 to 10 of the openb traces, scored on 42 to 51 (docs/placement-bench.md).
/** How far the node's CPU bounds what its GPUs are worth. 0 leaves GPUs without CPU; 1 keeps nodes that are rich in CPU idle too long. */
const CPU_WEIGHT = 0.2;
/** Scores closer than this are equal, and the first node wins. Wider: too much is decided by the order; 0: by noise. */
const BUCKET_MILLI = 10;
/** A fleet that fills up, with room for large requests: they count the less the larger, as it is the small ones that fill the rest. */
const FILLING_POWER = -1;
/** Once that room is short, or others leave: they count the more, a request for eight 64 times, or no node ever becomes whole again. */
const KEEPING_POWER = 2;
/** Requests leave: at least so many of those that came, between two readings of the mix. */
const LEAVING_RATIO = 0.1;
/** Requests after which the mix is read for the first time. */
const FIRST_READ = 20;
/** It is read again when so many times more have come: about forty times in ten thousand requests. */
const READ_GROWTH = 1.2;

/**
 * Our policy. As FGD it takes the place where the least becomes unusable to what is usually asked for, and differs in five things:
 * what a node's CPU cannot carry counts as unusable in part; a model that is asked for by name is kept for those who name it; requests of
 * several GPUs count for less while a fleet fills up, but for more once few nodes could take the largest usual one, or once requests leave
 * again; of places that are nearly equal the first
 * node's is taken, so that the last nodes of a fleet in use become empty again; and it learns what is usual from the requests that came,
 * from nothing.
 */
export function createLeastStranded(fleet: FleetIndex): ScoringPolicy {
  const mix = new WorkloadMix();
  const capacityMilli = fleet.models.map((_, model) => capacityOf(fleet, model));
  let scarcity: readonly number[] = fleet.models.map(() => 0);
  const stock = new LargeStock(fleet);
  let shares: readonly ShapeShare[] = [];
  let isShort = false;
  let isLeaving = false;
  let cameCount = 0;
  let readAt = { cameCount, releasedCount: fleet.releasedCount };
  let scorer: UnusableScorer | null = null;
  let nextRead = FIRST_READ;
  let revision = 0;

  function read(): void {
    shares = mix.shares(1);
    stock.watch(largestShape(shares));
    scarcity = scarcityOfModels(shares, fleet.models, capacityMilli);
    nextRead = Math.ceil(mix.total * READ_GROWTH);
    isLeaving = fleet.releasedCount - readAt.releasedCount >= LEAVING_RATIO * (cameCount - readAt.cameCount);
    readAt = { cameCount, releasedCount: fleet.releasedCount };
    score();
  }
  function score(): void {
    const weighed = weighedByGpus(shares, isShort || isLeaving ? KEEPING_POWER : FILLING_POWER);
    scorer = new UnusableScorer(fleet, {
      mixes: fleet.models.map((model) => mixOfModel(weighed, model)),
      cpuWeight: CPU_WEIGHT,
      grade: (savedMilli) => Math.round(savedMilli / BUCKET_MILLI),
      takesFuller: true,
    });
    revision++;
  }

  return {
    name: "least-stranded",
    revision: () => revision,
    observe(shape) {
      mix.add(shape);
      cameCount++;
      const wasShort = isShort;
      isShort = stock.isShort();
      if (mix.total >= nextRead) read();
      else if (isShort !== wasShort) score();
    },
    scoreNode(index, node, shape, verdict) {
      if (scorer === null) {
        verdict.score = 0;
        verdict.gpu = isShared(shape) ? fullestGpu(index, node, shape) : -1;
      } else scorer.scoreNode(index, node, shape, verdict);
      const keptMilli = (scarcity[index.modelOf[node] ?? 0] ?? 0) * shape.gpuCount * shape.gpuMilli;
      verdict.score -= Math.round(keptMilli / BUCKET_MILLI);
    },
  };
}

function capacityOf(fleet: FleetIndex, model: number): number {
  let milli = 0;
  for (let node = 0; node < fleet.names.length; node++)
    if (fleet.modelOf[node] === model) milli += (fleet.gpuCountOf[node] ?? 0) * WHOLE_GPU_MILLI;
  return milli;
}
