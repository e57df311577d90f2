import type { PartitionMode } from "../api/gpu-partition.ts";

/** One engine on a GPU, as far as it has work for it now. */
export interface ComputeClaim {
  readonly mode: PartitionMode;
  /** Its weight among those that work, and the most that it gets while they want the rest: 1 to 100. Of MIG: its slices. */
  readonly computePercent: number;
  /** Share of the card's time that its work takes when it is alone there, above 0 and up to 1. A large model's engine takes all of it. */
  readonly demandRatio: number;
}

/**
 * Slices in turn cost a switch each: what a published comparison of one small detector in 1, 3, 5 and 7 pods shows above their number
 * (0.088, 0.293, 0.489, 0.685 s).
 */
const TIME_SLICING_LOSS = 1.11;
/** A slice of the smallest MIG profile is slower than its share of the compute alone (0.342 s in the same comparison): memory and caches are cut too. */
const MIG_LOSS = 1.27;

/**
 * How many times as long a step of each takes as on the whole card alone; 1 = as fast. In the order of the claims, all of which work.
 * MPS and vGPU: every other's work delays mine by its demand, weighed (0.088, 0.164, 0.241, 0.320 s in that comparison: 1 + 0.44 (n - 1)); shares
 * of those that would get more than their ceiling go to the others first.
 */
export function computeSlowdowns(claims: readonly ComputeClaim[]): readonly number[] {
  const sharing = claims.filter(({ mode }) => mode === "mps" || mode === "vgpu");
  const shares = cappedShares(sharing);
  const shareOf = new Map(sharing.map((claim, index) => [claim, shares[index] ?? 0]));
  const slicedCount = claims.filter(({ mode }) => mode === "time-slicing").length;
  return claims.map((claim) => {
    switch (claim.mode) {
      case "exclusive":
        return 1;
      case "mig":
        return Math.max(1, (MIG_LOSS * claim.demandRatio * 100) / claim.computePercent);
      case "time-slicing":
        return slicedCount === 1 ? 1 : TIME_SLICING_LOSS * slicedCount;
      case "mps":
      case "vgpu":
        return sharedSlowdown(claim, sharing, shareOf);
    }
  });
}

function sharedSlowdown(claim: ComputeClaim, sharing: readonly ComputeClaim[], shareOf: ReadonlyMap<ComputeClaim, number>): number {
  const own = shareOf.get(claim) ?? 1;
  return sharing.reduce((sum, other) => (other === claim ? sum : sum + ((shareOf.get(other) ?? 0) / own) * other.demandRatio), 1);
}

/**
 * What each is asked to get of the card while all want it, in the order of the claims; they make 1. By weight, none above its ceiling as long
 * as anybody is below its own; what is left when all are at theirs is theirs again, by weight: a ceiling leaves no card idle.
 */
export function cappedShares(claims: readonly Pick<ComputeClaim, "computePercent">[]): readonly number[] {
  const shares = claims.map(() => 0);
  let open = claims.map((_, index) => index);
  let left = 1;
  while (open.length > 0 && left > 0) {
    const weight = open.reduce((sum, index) => sum + (claims[index]?.computePercent ?? 0), 0);
    const room = left;
    const full = open.filter((index) => {
      const percent = claims[index]?.computePercent ?? 0;
      return (room * percent) / weight > percent / 100 - (shares[index] ?? 0);
    });
    // Nobody would pass its ceiling, or everybody has reached it.
    if (full.length === 0 || full.length === open.length) {
      for (const index of open) shares[index] = (shares[index] ?? 0) + (room * (claims[index]?.computePercent ?? 0)) / weight;
      return shares;
    }
    for (const index of full) {
      const ceiling = (claims[index]?.computePercent ?? 0) / 100;
      left -= ceiling - (shares[index] ?? 0);
      shares[index] = ceiling;
    }
    open = open.filter((index) => !full.includes(index));
  }
  return shares;
}
