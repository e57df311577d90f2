import type { PartitionMode } from "../api/gpu-partition.ts";
import { EMPTY_LAYOUT, placementIndex, roomAfter, roomOf } from "../api/mig-layout.ts";
import { WHOLE_GPU_MILLI } from "./fleet-index.ts";
import type { GpuRoom } from "./fleet-room.ts";
import { isForGang, type GpuDemand, type GpuLeft } from "./gpu-demand.ts";
import type { GpuOffer } from "./gpu-offer.ts";
import type { NodeDemand } from "./wanted-mix.ts";

/** Differences smaller than this are none: a hundredth of a GPU (ADR 0028). */
const BUCKET_MILLI = 10;

/**
 * What idles on one node, and how much of it is of use to what is wanted: the fragmentation of "Beware of Fragmentation" (FGD, USENIX
 * ATC'23) over GPUs, as `unusableMilli` has it for a fleet without modes.
 */
export class NodeLeft {
  readonly #demand: NodeDemand;
  readonly #gpus: ReadonlyMap<number, Gpu>;
  /** GPUs that each gang could have, in the order of the demand's gangs. */
  readonly #gangs: readonly Usable[];

  constructor(gpus: readonly GpuRoom[], demand: NodeDemand) {
    this.#demand = demand;
    this.#gpus = new Map(
      gpus.flatMap((room) => {
        const own = demand.ofGpu.get(room.gpu);
        return own === undefined ? [] : [[room.gpu, gpuOf(own, leftOf(room))] as const];
      }),
    );
    const all = [...this.#gpus.values()];
    this.#gangs = demand.gangs.map(({ needMilli }) => usableTo(needMilli, all));
  }

  /** Each of them alone. Unused GPUs of one kind are alike, so of them one is looked at. */
  eachStrandedPercent(offers: readonly GpuOffer[]): readonly number[] {
    const unused = new Map<GpuDemand, Alone>();
    return offers.map((offer) => {
      const before = this.#gpus.get(offer.gpu.gpu);
      const like = before?.left.kind === "unused" ? unused.get(before.demand) : undefined;
      if (like !== undefined && like.mode === offer.share.mode) return like.strandedPercent;
      const strandedPercent = this.strandedPercent([offer]);
      if (before?.left.kind === "unused") unused.set(before.demand, { mode: offer.share.mode, strandedPercent });
      return strandedPercent;
    });
  }

  /**
   * By how many hundredths of a GPU more, if these offers are taken, that what idles there is of no use to the next request, on the average
   * of all that is wanted. Below zero = fewer than now.
   */
  strandedPercent(taken: readonly GpuOffer[]): number {
    let lost = 0;
    let idleTaken = 0;
    const changes: { readonly before: Gpu; readonly after: Gpu }[] = [];
    for (const offer of taken) {
      const before = this.#gpus.get(offer.gpu.gpu);
      if (before === undefined) continue;
      const after = gpuOf(before.demand, leftAfter(offer));
      changes.push({ before, after });
      lost += after.unusable - before.unusable;
      idleTaken += before.idleMilli - after.idleMilli;
    }
    for (const [index, gang] of this.#demand.gangs.entries()) {
      const was = this.#gangs[index] ?? NONE;
      let { count, milli } = was;
      for (const { before, after } of changes) {
        if (canUse(gang.needMilli, before)) [count, milli] = [count - 1, milli - before.idleMilli];
        if (canUse(gang.needMilli, after)) [count, milli] = [count + 1, milli + after.idleMilli];
      }
      const usableBefore = was.count < gang.gpuCount ? 0 : was.milli;
      const usableAfter = count < gang.gpuCount ? 0 : milli;
      lost += gang.weight * (usableBefore - usableAfter - idleTaken);
    }
    return Math.round(lost / (this.#demand.totalWeight * BUCKET_MILLI));
  }
}

interface Alone {
  readonly mode: PartitionMode;
  readonly strandedPercent: number;
}

interface Gpu {
  readonly demand: GpuDemand;
  readonly left: GpuLeft;
  readonly idleMilli: number;
  /** To requests for one GPU, by their weights. */
  readonly unusable: number;
}
const gpuOf = (demand: GpuDemand, left: GpuLeft): Gpu => ({
  demand,
  left,
  idleMilli: demand.idleMilli(left),
  unusable: demand.weightedUnusableMilli(left),
});

interface Usable {
  readonly count: number;
  readonly milli: number;
}
const NONE: Usable = { count: 0, milli: 0 };

type Needs = NodeDemand["gangs"][number]["needMilli"];
function usableTo(needs: Needs, gpus: readonly Gpu[]): Usable {
  const usable = gpus.filter((gpu) => canUse(needs, gpu));
  return { count: usable.length, milli: usable.reduce((sum, { idleMilli }) => sum + idleMilli, 0) };
}
function canUse(needs: Needs, { demand, left }: Gpu): boolean {
  const needMilli = needs.get(demand);
  return needMilli !== undefined && isForGang(needMilli, left);
}

function leftOf({ cut, isTaken, freeBytes, memoryBytes }: GpuRoom): GpuLeft {
  if (isTaken || cut?.mode === "exclusive") return { kind: "taken" };
  if (cut === null) return { kind: "unused" };
  if (cut.mode === "mig") return { kind: "mig", room: roomOf(cut.layout) };
  return { kind: "shared", mode: cut.mode, milli: milliOf(freeBytes, memoryBytes) };
}

function leftAfter({ gpu, share }: GpuOffer): GpuLeft {
  if ("placement" in share) {
    const layout = gpu.cut?.mode === "mig" ? gpu.cut.layout : EMPTY_LAYOUT;
    const room = roomAfter(roomOf(layout), placementIndex(share.placement));
    return room === null ? { kind: "taken" } : { kind: "mig", room };
  }
  if (share.mode === "exclusive" || share.mode === "mig") return { kind: "taken" };
  return { kind: "shared", mode: share.mode, milli: milliOf(gpu.freeBytes - share.memoryBytes, gpu.memoryBytes) };
}

const milliOf = (bytes: number, ofBytes: number): number => Math.max(0, Math.floor((bytes * WHOLE_GPU_MILLI) / ofBytes));
