import { assert } from "../base/assert.ts";

/** A whole GPU, in thousandths: the unit in which GPUs are shared. */
export const WHOLE_GPU_MILLI = 1_000;
/** Distinct node states kept before the index forgets them and starts again. */
const STATES_MAX = 65_536;
/** Changes kept for readers; one that is further behind looks at every node again. */
const CHANGES_MAX = 262_144;

export interface FleetNode {
  readonly name: string;
  /** GPU model; all GPUs of a node have the same. */
  readonly model: string;
  readonly gpuCount: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
}

/** What is asked for. Two requests with equal numbers are one shape. */
export interface PlacementShape {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** 0 = needs no GPU. A part of a GPU is asked for with 1. */
  readonly gpuCount: number;
  /** Of each of these GPUs; 1000 = whole; 0 when `gpuCount` is 0. */
  readonly gpuMilli: number;
  /** Models that will do; empty = any. */
  readonly models: readonly string[];
}

/** Nodes that are alike while nothing stands on them. */
export interface NodeKind {
  readonly model: string;
  readonly gpuCount: number;
  readonly cpuMilli: number;
  readonly nodeCount: number;
}

/**
 * What is free on each node, as arrays, in the order of the nodes' names. Nodes in exactly the same state have the same number in
 * `stateOf`, so that what was computed for one holds for all. Only `bindShape` and `releaseShape` change it.
 */
export interface FleetIndex {
  readonly names: readonly string[];
  readonly models: readonly string[];
  /** Index into `models`, per node. */
  readonly modelOf: Uint16Array;
  readonly kinds: readonly NodeKind[];
  /** Index into `kinds`, per node. */
  readonly kindOf: Uint16Array;
  readonly gpuCountOf: Uint8Array;
  readonly freeCpuMilli: Float64Array;
  readonly freeMemoryMib: Float64Array;
  /** Free milli of GPU `g` of node `n` at `n * gpuStride + g`. */
  readonly freeGpuMilli: Int32Array;
  readonly gpuStride: number;
  /** Sum over a node's GPUs. */
  readonly freeMilliOf: Int32Array;
  readonly boundCountOf: Uint32Array;
  readonly boundMax: number;
  readonly stateOf: Int32Array;
  /** Nodes in the order in which they changed; a reader keeps its place in it. */
  readonly changes: number[];
  /** Counts up when state numbers are given anew or changes are forgotten: what a reader remembers is void. */
  generation: number;
  readonly stateNumbers: Map<string, number>;
  /** Shapes given back since the index was made: what tells a fleet in use from one that only fills up. */
  releasedCount: number;
  /** GPU milli of all that was bound since the index was made, also of what left again: less than was asked for = some was refused. */
  boundMilli: number;
}

/** Where a shape stands: what `releaseShape` takes back. */
export interface FleetPlace {
  readonly node: number;
  /** Ascending; empty for a shape without GPUs. */
  readonly gpus: readonly number[];
}

export function createFleetIndex(nodes: readonly FleetNode[], { boundMax }: { readonly boundMax: number }): FleetIndex {
  const sorted = nodes.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const models = [...new Set(sorted.map(({ model }) => model))].toSorted();
  const gpuStride = Math.max(1, ...sorted.map(({ gpuCount }) => gpuCount));
  const { kinds, kindOf } = kindsOf(sorted);
  const fleet: FleetIndex = {
    names: sorted.map(({ name }) => name),
    models,
    modelOf: Uint16Array.from(sorted, ({ model }) => models.indexOf(model)),
    kinds,
    kindOf,
    gpuCountOf: Uint8Array.from(sorted, ({ gpuCount }) => gpuCount),
    freeCpuMilli: Float64Array.from(sorted, ({ cpuMilli }) => cpuMilli),
    freeMemoryMib: Float64Array.from(sorted, ({ memoryMib }) => memoryMib),
    freeGpuMilli: new Int32Array(sorted.length * gpuStride),
    gpuStride,
    freeMilliOf: Int32Array.from(sorted, ({ gpuCount }) => gpuCount * WHOLE_GPU_MILLI),
    boundCountOf: new Uint32Array(sorted.length),
    boundMax,
    stateOf: new Int32Array(sorted.length),
    changes: [],
    generation: 0,
    stateNumbers: new Map(),
    releasedCount: 0,
    boundMilli: 0,
  };
  for (const [node, { gpuCount }] of sorted.entries()) {
    fleet.freeGpuMilli.fill(WHOLE_GPU_MILLI, node * gpuStride, node * gpuStride + gpuCount);
    numberState(fleet, node);
  }
  return fleet;
}

function kindsOf(nodes: readonly FleetNode[]): Pick<FleetIndex, "kinds" | "kindOf"> {
  const indexes = new Map<string, number>();
  const kinds: { model: string; gpuCount: number; cpuMilli: number; nodeCount: number }[] = [];
  const kindOf = Uint16Array.from(nodes, ({ model, gpuCount, cpuMilli }) => {
    const key = `${gpuCount} ${cpuMilli} ${model}`;
    const index = indexes.get(key) ?? kinds.push({ model, gpuCount, cpuMilli, nodeCount: 0 }) - 1;
    indexes.set(key, index);
    const kind = kinds[index];
    if (kind !== undefined) kind.nodeCount++;
    return index;
  });
  return { kinds, kindOf };
}

/** For a what-if: places and releases on the copy leave the fleet as it is. Policies and placers belong to one of the two. */
export function copyFleetIndex(fleet: FleetIndex): FleetIndex {
  return {
    ...fleet,
    freeCpuMilli: fleet.freeCpuMilli.slice(),
    freeMemoryMib: fleet.freeMemoryMib.slice(),
    freeGpuMilli: fleet.freeGpuMilli.slice(),
    freeMilliOf: fleet.freeMilliOf.slice(),
    boundCountOf: fleet.boundCountOf.slice(),
    stateOf: fleet.stateOf.slice(),
    changes: [...fleet.changes],
    stateNumbers: new Map(fleet.stateNumbers),
  };
}

/** Filter: whether the node has all that the shape needs, now. */
export function fitsNode(fleet: FleetIndex, node: number, shape: PlacementShape): boolean {
  if ((fleet.freeCpuMilli[node] ?? 0) < shape.cpuMilli || (fleet.freeMemoryMib[node] ?? 0) < shape.memoryMib) return false;
  if ((fleet.boundCountOf[node] ?? 0) >= fleet.boundMax) return false;
  if (shape.models.length > 0 && !shape.models.includes(fleet.models[fleet.modelOf[node] ?? 0] ?? "")) return false;
  if (shape.gpuCount === 0) return true;
  const first = node * fleet.gpuStride;
  let usable = 0;
  for (let at = first; at < first + (fleet.gpuCountOf[node] ?? 0); at++) if ((fleet.freeGpuMilli[at] ?? 0) >= shape.gpuMilli) usable++;
  return usable >= shape.gpuCount;
}

/** The lowest free GPUs that do. The node must fit. */
export function lowestGpus(fleet: FleetIndex, node: number, shape: PlacementShape): readonly number[] {
  const gpus: number[] = [];
  for (let gpu = 0; gpus.length < shape.gpuCount && gpu < fleet.gpuStride; gpu++)
    if ((fleet.freeGpuMilli[node * fleet.gpuStride + gpu] ?? 0) >= shape.gpuMilli && gpu < (fleet.gpuCountOf[node] ?? 0)) gpus.push(gpu);
  return gpus;
}

/** The fullest GPU that does, the lowest of equals; of a shape that shares. The node must fit. */
export function fullestGpu(fleet: FleetIndex, node: number, shape: PlacementShape): number {
  let best = -1;
  let bestFree = Number.POSITIVE_INFINITY;
  for (let gpu = 0; gpu < (fleet.gpuCountOf[node] ?? 0); gpu++) {
    const free = fleet.freeGpuMilli[node * fleet.gpuStride + gpu] ?? 0;
    if (free < shape.gpuMilli || free >= bestFree) continue;
    best = gpu;
    bestFree = free;
  }
  return best;
}

export const isShared = (shape: PlacementShape): boolean => shape.gpuCount === 1 && shape.gpuMilli < WHOLE_GPU_MILLI;

/** Takes what the shape needs. The caller has asked `fitsNode`. */
export function bindShape(fleet: FleetIndex, shape: PlacementShape, { node, gpus }: FleetPlace): void {
  assert(fitsNode(fleet, node, shape) && gpus.length === shape.gpuCount, "a shape is bound only where it fits");
  change(fleet, { node, gpus }, shape, 1);
  fleet.boundMilli += shape.gpuCount * shape.gpuMilli;
}

/** Gives back what `bindShape` took for the same shape at the same place. */
export function releaseShape(fleet: FleetIndex, shape: PlacementShape, place: FleetPlace): void {
  change(fleet, place, shape, -1);
  fleet.releasedCount++;
}

function change(fleet: FleetIndex, { node, gpus }: FleetPlace, shape: PlacementShape, sign: 1 | -1): void {
  for (const gpu of gpus) {
    const at = node * fleet.gpuStride + gpu;
    const free = (fleet.freeGpuMilli[at] ?? 0) - sign * shape.gpuMilli;
    assert(free >= 0 && free <= WHOLE_GPU_MILLI, "a GPU holds between nothing and all of itself");
    fleet.freeGpuMilli[at] = free;
  }
  fleet.freeCpuMilli[node] = (fleet.freeCpuMilli[node] ?? 0) - sign * shape.cpuMilli;
  fleet.freeMemoryMib[node] = (fleet.freeMemoryMib[node] ?? 0) - sign * shape.memoryMib;
  fleet.freeMilliOf[node] = (fleet.freeMilliOf[node] ?? 0) - sign * gpus.length * shape.gpuMilli;
  fleet.boundCountOf[node] = (fleet.boundCountOf[node] ?? 0) + sign;
  numberState(fleet, node);
  if (fleet.changes.length >= CHANGES_MAX) {
    fleet.changes.length = 0;
    fleet.generation++;
  }
  fleet.changes.push(node);
}

function numberState(fleet: FleetIndex, node: number): void {
  if (fleet.stateNumbers.size >= STATES_MAX) {
    fleet.stateNumbers.clear();
    fleet.generation++;
    for (let other = 0; other < fleet.names.length; other++) if (other !== node) numberState(fleet, other);
  }
  const first = node * fleet.gpuStride;
  const gpus = fleet.freeGpuMilli.subarray(first, first + (fleet.gpuCountOf[node] ?? 0)).join(" ");
  const isFull = (fleet.boundCountOf[node] ?? 0) >= fleet.boundMax;
  const key = `${fleet.kindOf[node]} ${fleet.freeCpuMilli[node]} ${fleet.freeMemoryMib[node]} ${isFull} ${gpus}`;
  const number = fleet.stateNumbers.get(key) ?? fleet.stateNumbers.size;
  fleet.stateNumbers.set(key, number);
  fleet.stateOf[node] = number;
}
