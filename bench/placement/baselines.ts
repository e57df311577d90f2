import {
  bindShape,
  fitsNode,
  fullestGpu,
  isShared,
  lowestGpus,
  type FleetIndex,
  type FleetPlace,
  type PlacementShape,
} from "../../src/placement/fleet-index.ts";
import type { FleetPlacer } from "../../src/placement/place-on-fleet.ts";
import type { NodeVerdict, ScoringPolicy } from "../../src/placement/scoring-policy.ts";
import { NODE_CPU_MILLI_MAX, NODE_GPU_MILLI_MAX, UNLEARNING } from "../../src/placement/scoring-policy.ts";

/** What a run asks: a place for the next arrival, bound. */
export type PlaceNext = (shape: PlacementShape) => FleetPlace | null;

/** Any node that fits, and any GPU of it. */
export function createRandomPlacer(fleet: FleetIndex, random: () => number): FleetPlacer {
  const choose: FleetPlacer["choose"] = (shape, isBarred = () => false) => {
    const node = pick(
      [...fleet.names.keys()].filter((each) => fitsNode(fleet, each, shape) && !isBarred(each)),
      random,
    );
    if (node === null) return null;
    const usable = lowestGpus(fleet, node, { ...shape, gpuCount: Math.min(shape.gpuCount, 1) * fleet.gpuStride });
    return { node, gpus: isShared(shape) ? [pick(usable, random) ?? 0] : usable.slice(0, shape.gpuCount) };
  };
  return {
    observe: () => undefined,
    choose,
    place(shape) {
      const place = choose(shape);
      if (place !== null) bindShape(fleet, shape, place);
      return place;
    },
    scoredCount: () => 0,
  };
}

function pick(choices: readonly number[], random: () => number): number | null {
  return choices[Math.floor(random() * choices.length)] ?? null;
}

/** The paper's DotProd: what is asked for along what is free. */
export const DOT_PROD: ScoringPolicy = {
  name: "dotprod",
  ...UNLEARNING,
  scoreNode(fleet, node, shape, verdict) {
    const cpu = ((fleet.freeCpuMilli[node] ?? 0) * shape.cpuMilli) / NODE_CPU_MILLI_MAX ** 2;
    const gpu = ((fleet.freeMilliOf[node] ?? 0) * shape.gpuCount * shape.gpuMilli) / NODE_GPU_MILLI_MAX ** 2;
    verdict.score = Math.trunc(100 * (1 - (cpu + gpu) / 2));
    verdict.gpu = isShared(shape) ? fullestGpu(fleet, node, shape) : -1;
  },
};

/** The paper's Clustering: shared beside shared, and whole GPUs beside requests for as many; then the fuller node. */
export function placeByClustering(fleet: FleetIndex): PlaceNext {
  const kindsOf = fleet.names.map(() => new Set<string>());
  const verdict: NodeVerdict = { score: 0, gpu: -1 };
  return (shape) => {
    const kind = isShared(shape) ? "shared" : `${shape.gpuCount}`;
    let best: number | null = null;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let node = 0; node < fleet.names.length; node++) {
      if (!fitsNode(fleet, node, shape)) continue;
      scoreByKinds(fleet, node, { shape, kind, kinds: kindsOf[node] ?? new Set() }, verdict);
      if (verdict.score <= bestScore) continue;
      best = node;
      bestScore = verdict.score;
    }
    if (best === null) return null;
    const place = { node: best, gpus: isShared(shape) ? [fullestGpu(fleet, best, shape)] : lowestGpus(fleet, best, shape) };
    bindShape(fleet, shape, place);
    if (shape.gpuCount > 0) kindsOf[best]?.add(kind);
    return place;
  };
}

interface Asked {
  readonly shape: PlacementShape;
  readonly kind: string;
  readonly kinds: ReadonlySet<string>;
}

function scoreByKinds(fleet: FleetIndex, node: number, { shape, kind, kinds }: Asked, verdict: NodeVerdict): void {
  if (shape.gpuCount === 0) {
    verdict.score = 0;
    return;
  }
  const isAlone = kinds.size === 1;
  const band = kinds.has(kind) ? (isAlone ? 75 : 50) : kinds.size === 0 ? 25 : 0;
  verdict.score = band + Math.trunc((25 * (NODE_GPU_MILLI_MAX - (fleet.freeMilliOf[node] ?? 0))) / NODE_GPU_MILLI_MAX);
}
