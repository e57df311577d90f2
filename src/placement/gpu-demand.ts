import type { PartitionMode } from "../api/gpu-partition.ts";
import { MIG_MEMORY_SLICES, type MigProfile } from "../api/mig-geometry.ts";
import { memorySlicesLeft, EMPTY_LAYOUT } from "../api/mig-layout.ts";
import type { MigRoom } from "../base/ids.ts";
import { cheapestShare, shareIn } from "./choose-partition.ts";
import { WHOLE_GPU_MILLI } from "./fleet-index.ts";
import { LEAVING_GOES_ON } from "./mig-fleet-value.ts";
import { MigMixValue } from "./mig-mix-value.ts";
import { partitionRequirements, type CandidateGpu, type GpuCut } from "./partition-requirements.ts";
import { isOverCap, type InstanceRequest } from "./placement-request.ts";

/** Requests of one shape, and how much they count for. Whole, as all sums of it: the order of summing up decides nothing. */
export interface WantedShape {
  readonly request: InstanceRequest;
  readonly weight: number;
}

type SoftMode = Exclude<PartitionMode, "exclusive" | "mig">;
/** How a GPU that is not cut by MIG is in use; null = only by processes that nobody promised anything. */
type GpuUse = SoftMode | "unused" | null;
/** What is left of one GPU, and to whom it is open. */
export type GpuLeft =
  /** In use by nobody. */
  | { readonly kind: "unused" }
  | { readonly kind: "shared"; readonly mode: SoftMode | null; readonly milli: number }
  | { readonly kind: "mig"; readonly room: MigRoom }
  | { readonly kind: "taken" };

const NEVER = Number.POSITIVE_INFINITY;
const USES: readonly GpuUse[] = ["unused", "vgpu", "mps", "time-slicing", null];

/**
 * What is wanted, as the GPUs of one kind see it. All demands of one GPU are summed up in tables, one for each way in which a GPU can be in
 * use; those of several GPUs look at the whole node (`NodeLeft`).
 */
export class GpuDemand {
  readonly #gpu: CandidateGpu;
  readonly #singles: readonly WantedShape[];
  readonly #foreignWeight: number;
  readonly #singleWeight: number;
  readonly #tables = new Map<GpuUse, Float64Array>();
  #mig: { readonly weight: number; readonly value: MigMixValue } | null = null;

  /** @param singles requests for one GPU. @param foreignWeight of those of them that may not use the node, and are not in the list. */
  constructor(gpu: CandidateGpu, { singles, foreignWeight }: { readonly singles: readonly WantedShape[]; readonly foreignWeight: number }) {
    this.#gpu = gpu;
    this.#singles = singles;
    this.#foreignWeight = foreignWeight;
    this.#singleWeight = singles.reduce((sum, { weight }) => sum + weight, foreignWeight);
  }

  /** What nobody has of it; whole. */
  idleMilli(left: GpuLeft): number {
    if (left.kind === "unused") return WHOLE_GPU_MILLI;
    if (left.kind === "shared") return left.milli;
    return left.kind === "mig" ? slicesMilli(memorySlicesLeft(left.room)) : 0;
  }

  /** Summed up over the weights of requests for one GPU: what of it they could not use. */
  weightedUnusableMilli(left: GpuLeft): number {
    const idle = this.idleMilli(left);
    if (idle === 0) return 0;
    if (left.kind !== "mig") return idle * (this.#tableOf(left.kind === "shared" ? left.mode : "unused")[idle] ?? 0);
    const { weight, value } = this.#migDemand();
    const usable = Math.min(idle, slicesMilli(value.valueOf(left.room)));
    return idle * (this.#singleWeight - weight) + weight * (idle - usable);
  }

  /** What a GPU must have left for the request, by its use, in the order of `USES`; infinite = it cannot have one in that use. */
  needMilli(request: InstanceRequest): readonly number[] {
    return USES.map((use) => this.#needMilli(request, use));
  }

  /** By what is idle: the weight of requests for one GPU that cannot use that. */
  #tableOf(use: GpuUse): Float64Array {
    const known = this.#tables.get(use);
    if (known !== undefined) return known;
    const table = new Float64Array(WHOLE_GPU_MILLI + 1);
    let sum = this.#foreignWeight;
    for (const { request, weight } of this.#singles) {
      const milli = this.#needMilli(request, use);
      // Counted where it begins to be short, then summed up from above.
      if (milli > WHOLE_GPU_MILLI) sum += weight;
      else if (milli > 0) table[milli - 1] = (table[milli - 1] ?? 0) + weight;
    }
    for (let idle = WHOLE_GPU_MILLI; idle >= 0; idle--) {
      sum += table[idle] ?? 0;
      table[idle] = sum;
    }
    this.#tables.set(use, table);
    return table;
  }

  #needMilli(request: InstanceRequest, use: GpuUse): number {
    const needs = partitionRequirements(request);
    if (isOverCap(request)) return NEVER;
    const cut: GpuCut | null = use === "unused" ? null : { mode: use, usedBytes: 0, promisedPercent: 0, holderCount: 0 };
    const share = cheapestShare({ needs, gpu: { ...this.#gpu, cut } });
    if (share === null) return NEVER;
    // A part that MIG would cut needs a GPU that is not in use at all: no other mode stands beside it.
    if (share.mode === "exclusive" || share.mode === "mig") return WHOLE_GPU_MILLI;
    return Math.ceil((needs.memoryBytes * WHOLE_GPU_MILLI) / this.#gpu.memoryBytes);
  }

  #migDemand(): { readonly weight: number; readonly value: MigMixValue } {
    if (this.#mig !== null) return this.#mig;
    const weights = new Map<MigProfile, number>();
    let total = 0;
    for (const { request, weight } of this.#singles) {
      const needs = partitionRequirements(request);
      const cut = shareIn("mig", { needs, gpu: { ...this.#gpu, cut: { mode: "mig", layout: EMPTY_LAYOUT } } });
      if (!cut.ok || !("placement" in cut.value) || isOverCap(request)) continue;
      const { profile } = cut.value.placement;
      weights.set(profile, (weights.get(profile) ?? 0) + weight);
      total += weight;
    }
    const value = new MigMixValue(
      [...weights].map(([profile, weight]) => [profile, weight / total]),
      { goesOn: LEAVING_GOES_ON, unit: "memorySlices" },
    );
    this.#mig = { weight: total, value };
    return this.#mig;
  }
}

/** Whether a gang could have the GPU as one of its own. @param needMilli its own there. */
export const isForGang = (needMilli: readonly number[], left: GpuLeft): boolean =>
  (left.kind === "unused" && (needMilli[0] ?? NEVER) <= WHOLE_GPU_MILLI) ||
  (left.kind === "shared" && (needMilli[USES.indexOf(left.mode)] ?? NEVER) <= left.milli);

const slicesMilli = (slices: number): number => Math.round((slices * WHOLE_GPU_MILLI) / MIG_MEMORY_SLICES);
