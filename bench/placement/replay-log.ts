import {
  bindShape,
  createFleetIndex,
  WHOLE_GPU_MILLI,
  type FleetIndex,
  type FleetNode,
  type FleetPlace,
  type PlacementShape,
} from "../../src/placement/fleet-index.ts";
import { AS_IN_PAPER, unusableMilli } from "../../src/placement/unusable-milli.ts";
import { mixOfModel, type ShapeShare } from "../../src/placement/workload-mix.ts";
import { milliOf } from "./arrivals.ts";

export const LOADS = [90, 95, 100, 110, 120, 130] as const;
export type Load = (typeof LOADS)[number];
/** As kube-scheduler-simulator's nodes. */
export const PODS_PER_NODE_MAX = 1_001;

/** In percent; null = no arrival fell into that load. */
export interface Reading {
  readonly allocation: number | null;
  /** Unusable to the typical workload, of all GPUs. */
  readonly fragmentationOfAll: number | null;
  /** The same, of the idle GPUs. */
  readonly fragmentationOfIdle: number | null;
}

export type Readings = Readonly<Record<Load, Reading>>;

export interface PlacementLog {
  readonly nodes: readonly FleetNode[];
  readonly arrivals: readonly PlacementShape[];
  /** One for each arrival; null = no node fitted. */
  readonly places: readonly (FleetPlace | null)[];
}

/** What the paper measures, from the log alone. @param shares the typical workload. */
export function replayLog({ nodes, arrivals, places }: PlacementLog, shares: readonly ShapeShare[]): Readings {
  const fleet = createFleetIndex(nodes, { boundMax: PODS_PER_NODE_MAX });
  const capacityMilli = fleet.freeMilliOf.reduce((sum, milli) => sum + milli, 0);
  const fragmentation = new FragmentationMeter(fleet, shares);
  const curve = new Curve(capacityMilli);
  let askedMilli = 0;
  let idleMilli = capacityMilli;
  for (const [at, shape] of arrivals.entries()) {
    const place = places[at] ?? null;
    askedMilli += milliOf(shape);
    if (place !== null) {
      bindShape(fleet, shape, place);
      idleMilli -= milliOf(shape);
      fragmentation.update(place.node);
    }
    curve.add({ askedMilli, idleMilli, unusableMilli: fragmentation.totalMilli });
  }
  return curve.read();
}

/** The paper's fragmentation of the whole fleet, kept up to date node by node. */
class FragmentationMeter {
  readonly #fleet: FleetIndex;
  readonly #mixes;
  readonly #ofNode: Float64Array;
  totalMilli = 0;

  constructor(fleet: FleetIndex, shares: readonly ShapeShare[]) {
    this.#fleet = fleet;
    this.#mixes = fleet.models.map((model) => mixOfModel(shares, model));
    this.#ofNode = new Float64Array(fleet.names.length);
    for (const node of fleet.names.keys()) this.update(node);
  }

  update(node: number): void {
    const { freeCpuMilli, freeGpuMilli, gpuCountOf, gpuStride, modelOf } = this.#fleet;
    const mix = this.#mixes[modelOf[node] ?? 0];
    if (mix === undefined) return;
    const gpuMilli = freeGpuMilli.subarray(node * gpuStride, (node + 1) * gpuStride);
    const milli = unusableMilli(mix, { cpuMilli: freeCpuMilli[node] ?? 0, gpuCount: gpuCountOf[node] ?? 0, gpuMilli }, AS_IN_PAPER);
    this.totalMilli += milli - (this.#ofNode[node] ?? 0);
    this.#ofNode[node] = milli;
  }
}

interface CurvePoint {
  readonly askedMilli: number;
  readonly idleMilli: number;
  readonly unusableMilli: number;
}

/** A value at a load is the mean over all arrivals whose rounded load it is. */
class Curve {
  readonly #capacityMilli: number;
  readonly #sums = new Map<number, { count: number; allocation: number; ofAll: number; ofIdle: number }>();

  constructor(capacityMilli: number) {
    this.#capacityMilli = capacityMilli;
  }

  add(point: CurvePoint): void {
    const load = Math.round((100 * point.askedMilli) / this.#capacityMilli);
    const sums = this.#sums.get(load) ?? { count: 0, allocation: 0, ofAll: 0, ofIdle: 0 };
    sums.count++;
    sums.allocation += 1 - point.idleMilli / this.#capacityMilli;
    sums.ofAll += point.unusableMilli / this.#capacityMilli;
    sums.ofIdle += point.idleMilli === 0 ? 0 : point.unusableMilli / point.idleMilli;
    this.#sums.set(load, sums);
  }

  read(): Readings {
    const at = (load: Load): Reading => {
      const sums = this.#sums.get(load);
      if (sums === undefined) return { allocation: null, fragmentationOfAll: null, fragmentationOfIdle: null };
      const percent = (sum: number): number => (100 * sum) / sums.count;
      return {
        allocation: percent(sums.allocation),
        fragmentationOfAll: percent(sums.ofAll),
        fragmentationOfIdle: percent(sums.ofIdle),
      };
    };
    return { 90: at(90), 95: at(95), 100: at(100), 110: at(110), 120: at(120), 130: at(130) };
  }
}

/** Places that take more than there is, or a model that was not asked for: added up again, with nothing of the fleet's. */
export function countViolations({ nodes, arrivals, places }: PlacementLog): number {
  const sorted = nodes.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const used = sorted.map(({ gpuCount }) => ({ cpuMilli: 0, memoryMib: 0, gpuMilli: Array.from({ length: gpuCount }, () => 0) }));
  let violations = 0;
  for (const [at, shape] of arrivals.entries()) {
    const chosen = places[at];
    if (chosen === null || chosen === undefined) continue;
    const node = sorted[chosen.node];
    const taken = used[chosen.node];
    if (node === undefined || taken === undefined) return Number.POSITIVE_INFINITY;
    taken.cpuMilli += shape.cpuMilli;
    taken.memoryMib += shape.memoryMib;
    for (const gpu of chosen.gpus) taken.gpuMilli[gpu] = (taken.gpuMilli[gpu] ?? Number.POSITIVE_INFINITY) + shape.gpuMilli;
    const isRight = new Set(chosen.gpus).size === shape.gpuCount && (shape.models.length === 0 || shape.models.includes(node.model));
    const isWithin =
      taken.cpuMilli <= node.cpuMilli && taken.memoryMib <= node.memoryMib && Math.max(0, ...taken.gpuMilli) <= WHOLE_GPU_MILLI;
    if (!isRight || !isWithin) violations++;
  }
  return violations;
}
