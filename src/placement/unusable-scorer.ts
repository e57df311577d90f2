import { isShared, type FleetIndex, type PlacementShape } from "./fleet-index.ts";
import type { NodeVerdict } from "./scoring-policy.ts";
import { unusableMilli, type NodeFree, type UnusableWeights } from "./unusable-milli.ts";
import type { ModelMix } from "./workload-mix.ts";

export interface UnusableRule {
  /** In the order of the fleet's models. */
  readonly mixes: readonly ModelMix[];
  readonly weights: UnusableWeights;
  /** @param savedMilli what the placement makes usable: unusable before less unusable after. Higher is better. */
  grade(savedMilli: number): number;
  /** Whether of two equally good GPUs the fuller one is taken, else the lower. */
  readonly takesFuller: boolean;
}

/** Grades a placement by how much of the node's idle GPUs it makes usable or unusable. */
export class UnusableScorer {
  readonly #rule: UnusableRule;
  readonly #free: NodeFree;
  /** Before the placement, per node, for the state that it was computed for. */
  readonly #beforeMilli: Float64Array;
  readonly #beforeState: Int32Array;
  #generation = -1;

  constructor(fleet: FleetIndex, rule: UnusableRule) {
    this.#rule = rule;
    this.#free = { cpuMilli: 0, gpuCount: 0, gpuMilli: new Int32Array(fleet.gpuStride) };
    this.#beforeMilli = new Float64Array(fleet.names.length);
    this.#beforeState = new Int32Array(fleet.names.length).fill(-1);
  }

  scoreNode(fleet: FleetIndex, node: number, shape: PlacementShape, verdict: NodeVerdict): void {
    const mix = this.#rule.mixes[fleet.modelOf[node] ?? 0];
    if (mix === undefined) return;
    const free = this.#free;
    const beforeMilli = this.#before(fleet, node, mix);
    free.gpuCount = fleet.gpuCountOf[node] ?? 0;
    free.cpuMilli = (fleet.freeCpuMilli[node] ?? 0) - shape.cpuMilli;
    for (let gpu = 0; gpu < free.gpuCount; gpu++) free.gpuMilli[gpu] = fleet.freeGpuMilli[node * fleet.gpuStride + gpu] ?? 0;
    if (isShared(shape)) {
      this.#scoreShared(mix, shape.gpuMilli, beforeMilli, verdict);
      return;
    }
    let open = shape.gpuCount;
    for (let gpu = 0; gpu < free.gpuCount && open > 0; gpu++) {
      const left = free.gpuMilli[gpu] ?? 0;
      if (left < shape.gpuMilli) continue;
      free.gpuMilli[gpu] = left - shape.gpuMilli;
      open--;
    }
    verdict.gpu = -1;
    verdict.score = this.#rule.grade(beforeMilli - unusableMilli(mix, free, this.#rule.weights));
  }

  #scoreShared(mix: ModelMix, gpuMilli: number, beforeMilli: number, verdict: NodeVerdict): void {
    const free = this.#free;
    verdict.score = Number.NEGATIVE_INFINITY;
    let chosenLeft = 0;
    for (let gpu = 0; gpu < free.gpuCount; gpu++) {
      const left = free.gpuMilli[gpu] ?? 0;
      if (left < gpuMilli || isSeen(free.gpuMilli, gpu)) continue;
      free.gpuMilli[gpu] = left - gpuMilli;
      const score = this.#rule.grade(beforeMilli - unusableMilli(mix, free, this.#rule.weights));
      free.gpuMilli[gpu] = left;
      if (score < verdict.score || (score === verdict.score && !(this.#rule.takesFuller && left < chosenLeft))) continue;
      verdict.score = score;
      verdict.gpu = gpu;
      chosenLeft = left;
    }
  }

  #before(fleet: FleetIndex, node: number, mix: ModelMix): number {
    if (this.#generation !== fleet.generation) {
      this.#beforeState.fill(-1);
      this.#generation = fleet.generation;
    }
    const state = fleet.stateOf[node] ?? 0;
    if (this.#beforeState[node] === state) return this.#beforeMilli[node] ?? 0;
    const free = this.#free;
    free.gpuCount = fleet.gpuCountOf[node] ?? 0;
    free.cpuMilli = fleet.freeCpuMilli[node] ?? 0;
    for (let gpu = 0; gpu < free.gpuCount; gpu++) free.gpuMilli[gpu] = fleet.freeGpuMilli[node * fleet.gpuStride + gpu] ?? 0;
    const milli = unusableMilli(mix, free, this.#rule.weights);
    this.#beforeMilli[node] = milli;
    this.#beforeState[node] = state;
    return milli;
  }
}

/** Whether a lower GPU has as much left: the outcome would be the same. */
function isSeen(gpuMilli: Int32Array, gpu: number): boolean {
  for (let lower = 0; lower < gpu; lower++) if (gpuMilli[lower] === gpuMilli[gpu]) return true;
  return false;
}
