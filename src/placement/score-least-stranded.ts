import { fullestGpu, isShared, WHOLE_GPU_MILLI, type FleetIndex } from "./fleet-index.ts";
import type { ScoringPolicy } from "./scoring-policy.ts";
import { UnusableScorer } from "./unusable-scorer.ts";
import { cpuScarcityOfKinds } from "./cpu-scarcity.ts";
import { LargeWeight } from "./large-weight.ts";
import { mixOfModel, scarcityOfModels, weighedByGpus, WorkloadMix, type ShapeShare } from "./workload-mix.ts";

// Frozen. Chosen on orders of arrival 1 to 10 of the openb traces, scored on 42 to 51 (docs/placement-bench.md).
/** How far the node's CPU bounds what its GPUs are worth. 0 leaves GPUs without CPU; 1 keeps nodes that are rich in CPU idle too long. */
const CPU_WEIGHT = 0.2;
/** Scores closer than this are equal, and the first node wins. Wider: too much is decided by the order; 0: by noise. */
const BUCKET_MILLI = 10;
/** On a fleet in use, a node that lacks one GPU for a request counts as usable by so much: it will have it once something leaves. */
const SOON_RATIO = 0.4;
/** Requests after which the mix is read for the first time. */
const FIRST_READ = 20;
/** It is read again when so many times more have come: about forty times in ten thousand requests. */
const READ_GROWTH = 1.2;

/**
 * Our policy. As FGD it takes the place where the least becomes unusable to what is usually asked for, and differs in six things:
 * what a node's CPU cannot carry counts as unusable in part; a model that is asked for by name, and nodes whose CPU large requests find
 * nowhere else, are kept for those who need them; requests of several GPUs count for less while a fleet fills up, but for more once few
 * nodes could take the largest usual one, or once requests leave again; then nodes that lack little are usable in part; of places that
 * are nearly equal the first node's is taken, so that the last nodes of a fleet in use become empty again; and it learns what is usual
 * from the requests that came, from nothing.
 */
export function createLeastStranded(fleet: FleetIndex): ScoringPolicy {
  const mix = new WorkloadMix();
  const large = new LargeWeight(fleet);
  const capacityMilli = fleet.models.map((_, model) => capacityOf(fleet, model));
  /** By kind of node, of each GPU milli that is taken there: what others will miss. */
  let scarcity: readonly number[] = fleet.kinds.map(() => 0);
  let shares: readonly ShapeShare[] = [];
  let power = large.power();
  let scorer: UnusableScorer | null = null;
  let nextRead = FIRST_READ;
  let revision = 0;

  function read(): void {
    shares = mix.shares(1);
    large.read(shares);
    const ofModel = scarcityOfModels(shares, fleet.models, capacityMilli);
    const ofCpu = cpuScarcityOfKinds(shares, fleet.kinds);
    scarcity = fleet.kinds.map(({ model }, kind) => (ofModel[fleet.models.indexOf(model)] ?? 0) + (ofCpu[kind] ?? 0));
    nextRead = Math.ceil(mix.total * READ_GROWTH);
    score();
  }
  function score(): void {
    power = large.power();
    const weighed = weighedByGpus(shares, power);
    scorer = new UnusableScorer(fleet, {
      mixes: fleet.models.map((model) => mixOfModel(weighed, model)),
      weights: { cpuWeight: CPU_WEIGHT, soonRatio: large.isInUse ? SOON_RATIO : 0 },
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
      if (mix.total >= nextRead) read();
      else if (scorer !== null && large.power() !== power) score();
      large.count(shape);
    },
    scoreNode(index, node, shape, verdict) {
      if (scorer === null) {
        verdict.score = 0;
        verdict.gpu = isShared(shape) ? fullestGpu(index, node, shape) : -1;
      } else scorer.scoreNode(index, node, shape, verdict);
      const keptMilli = (scarcity[index.kindOf[node] ?? 0] ?? 0) * shape.gpuCount * shape.gpuMilli;
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
