import { createHash } from "node:crypto";
import {
  createFleetIndex,
  WHOLE_GPU_MILLI,
  type FleetIndex,
  type FleetNode,
  type FleetPlace,
  type PlacementShape,
} from "../../src/placement/fleet-index.ts";
import { unusableMilli } from "../../src/placement/unusable-milli.ts";
import { mixOfModel, WorkloadMix, type ShapeShare } from "../../src/placement/workload-mix.ts";
import { monotonicMs } from "../failover/monotonic.ts";
import { milliOf } from "./arrivals.ts";
import { createPolicy, type PolicyName } from "./policies.ts";
import { percentile } from "../failover/statistics.ts";

export const LOADS = [90, 95, 100, 110, 120, 130] as const;
export type Load = (typeof LOADS)[number];
/** As kube-scheduler-simulator's nodes. */
const PODS_PER_NODE_MAX = 1_001;
/** The paper's typical workload: the most frequent shapes until this share of the pods is covered. */
const TYPICAL_COVERAGE = 0.95;

export interface RunInput {
  readonly nodes: readonly FleetNode[];
  readonly pods: readonly PlacementShape[];
  readonly arrivals: readonly PlacementShape[];
  readonly policy: PolicyName;
  readonly seed: number;
}

/** In percent; null = no arrival fell into that load. */
export interface Reading {
  readonly allocation: number | null;
  /** Unusable to the typical workload, of all GPUs. */
  readonly fragmentationOfAll: number | null;
  /** The same, of the idle GPUs. */
  readonly fragmentationOfIdle: number | null;
}

export interface RunOutcome {
  readonly at: Readonly<Record<Load, Reading>>;
  readonly placed: number;
  readonly failed: number;
  /** Time of the decisions alone, binding and learning included. */
  readonly decisionsPerSecond: number;
  readonly decisionP50Us: number;
  readonly decisionP99Us: number;
  /** Of the whole log of places: equal only for equal decisions. */
  readonly logHash: string;
  /** Places that take more than there is, or a model that was not asked for. Counted from the log, not from the fleet's own books. */
  readonly violations: number;
}

export function runTrace(input: RunInput): RunOutcome {
  const fleet = createFleetIndex(input.nodes, { boundMax: PODS_PER_NODE_MAX });
  const capacityMilli = fleet.freeMilliOf.reduce((sum, milli) => sum + milli, 0);
  const shares = typicalShares(input.pods);
  const place = createPolicy(input.policy, { fleet, shares, seed: input.seed });
  const fragmentation = new FragmentationMeter(fleet, shares);
  const curve = new Curve(capacityMilli);
  const places: (FleetPlace | null)[] = [];
  const tookMs = new Float64Array(input.arrivals.length);
  let askedMilli = 0;
  let idleMilli = capacityMilli;
  for (const [at, shape] of input.arrivals.entries()) {
    const startedMs = monotonicMs();
    const chosen = place(shape);
    tookMs[at] = monotonicMs() - startedMs;
    places.push(chosen);
    askedMilli += milliOf(shape);
    if (chosen !== null) {
      idleMilli -= milliOf(shape);
      fragmentation.update(chosen.node);
    }
    curve.add({ askedMilli, idleMilli, unusableMilli: fragmentation.totalMilli });
  }
  const spentMs = tookMs.reduce((sum, ms) => sum + ms, 0);
  const times = [...tookMs];
  return {
    at: curve.read(),
    placed: places.filter((chosen) => chosen !== null).length,
    failed: places.filter((chosen) => chosen === null).length,
    decisionsPerSecond: (1_000 * times.length) / spentMs,
    decisionP50Us: 1_000 * (percentile(times, 0.5) ?? 0),
    decisionP99Us: 1_000 * (percentile(times, 0.99) ?? 0),
    logHash: hashOf(places),
    violations: countViolations(input, places),
  };
}

export function typicalShares(pods: readonly PlacementShape[]): readonly ShapeShare[] {
  const mix = new WorkloadMix();
  for (const pod of pods) mix.add(pod);
  return mix.shares(TYPICAL_COVERAGE);
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
    const milli = unusableMilli(mix, { cpuMilli: freeCpuMilli[node] ?? 0, gpuCount: gpuCountOf[node] ?? 0, gpuMilli }, 0);
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

  read(): Readonly<Record<Load, Reading>> {
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

function hashOf(places: readonly (FleetPlace | null)[]): string {
  const hash = createHash("sha256");
  for (const chosen of places) hash.update(chosen === null ? "-\n" : `${chosen.node}:${chosen.gpus.join(",")}\n`);
  return hash.digest("hex");
}

/** Adds the log up again, with nothing of the fleet's. */
export function countViolations({ nodes, arrivals }: Pick<RunInput, "nodes" | "arrivals">, places: readonly (FleetPlace | null)[]): number {
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
