import { err, ok, type Result } from "../base/result.ts";
import { EMPTY_LAYOUT, roomOf } from "../api/mig-layout.ts";
import { oncePer } from "../base/once-per.ts";
import { keepMigShare } from "./choose-mig-share.ts";
import { cheapestShare, choosePartition, shareIn, tenantsMixed, type ChosenShare, type NoPartition } from "./choose-partition.ts";
import type { GpuRoom } from "./fleet-room.ts";
import { valueLost } from "./mig-value.ts";
import { DEFAULT_PLANNING_LOSS_PERCENT } from "./partition-modes.ts";
import {
  partitionRequirements,
  type CandidateGpu,
  type GpuCut,
  type ModeRefusal,
  type PartitionRequirements,
} from "./partition-requirements.ts";
import type { InstanceRequest, PlacedMember } from "./placement-request.ts";

/** Asked of thousands of GPUs. */
const needsOf = oncePer((request: InstanceRequest) => partitionRequirements(request));

/** What one GPU would give to one member of an instance. Smaller is better in both numbers. */
export interface GpuOffer {
  readonly gpu: GpuRoom;
  readonly share: ChosenShare;
  /** Thousandths of the card that it takes beyond the bytes: a MIG profile is larger than asked, a whole card for a share much larger. */
  readonly wasteMilli: number;
  /** Bytes of the room that is used; of MIG, what the GPU's layout loses in value. */
  readonly tightness: number;
}

/** The least costly share of the GPU that is enough, or null. Its bytes must still be free: `choosePartition` says why not. */
export function offerAt(request: InstanceRequest, gpu: GpuRoom): GpuOffer | null {
  const needs = needsOf(request);
  const share = cheapestShare({ needs, gpu: candidateOf(gpu) });
  return share === null ? null : offerOf(needs, gpu, share);
}

/**
 * What the instance is given where it stands: the MIG instance that it has, never another one, and its mode as long as that isolates enough.
 * `gpu` is without it.
 */
export function offerStanding(request: InstanceRequest, gpu: GpuRoom, member: PlacedMember): Result<GpuOffer, ModeRefusal> {
  const needs = needsOf(request);
  const wish = { needs, gpu: candidateOf(gpu) };
  const mixed = tenantsMixed(needs, wish.gpu);
  if (mixed !== null) return err(mixed);
  if (member.mig !== null) {
    if (gpu.cut !== null && gpu.cut.mode !== "mig") return err({ code: "OTHER_MODE", why: () => "The GPU is not cut by MIG." });
    const kept = keepMigShare(member.mig, { ...wish, lossPercent: DEFAULT_PLANNING_LOSS_PERCENT.mig });
    return kept.ok ? ok(offerOf(needs, gpu, kept.value)) : kept;
  }
  const isSoft = member.mode !== "exclusive";
  // Who was promised a mode keeps it: that a GPU is in one mode, with so many holders, is asked of newcomers.
  const same = isSoft ? shareIn(member.mode, { needs, gpu: { ...wish.gpu, cut: inMode(gpu.cut, member.mode) } }) : null;
  if (same?.ok === true) return ok(offerOf(needs, gpu, same.value));
  const other = cheapestShare({ needs, gpu: { ...wish.gpu, modes: gpu.modes.filter((mode) => mode !== "mig") } });
  return other === null ? err({ code: "NO_CAPACITY", why: () => "What it needs now is not left." }) : ok(offerOf(needs, gpu, other));
}

const inMode = (cut: GpuCut | null, mode: PlacedMember["mode"]): GpuCut | null =>
  cut === null || cut.mode === "exclusive" || cut.mode === "mig" || mode === "exclusive" || mode === "mig"
    ? cut
    : { ...cut, mode, holderCount: 0 };

/** Every mode with its verdict, for people. */
export function verdictsAt(request: InstanceRequest, gpu: GpuRoom): NoPartition | null {
  const choice = choosePartition(needsOf(request), candidateOf(gpu));
  return choice.ok ? null : choice.error;
}

export const candidateOf = ({ model, memoryBytes, modes, cut, tenants, unsafeToolkit }: GpuRoom): CandidateGpu => ({
  model,
  memoryBytes,
  modes,
  cut,
  tenants,
  unsafeToolkit,
});

function offerOf({ memoryBytes, isWholeGpu }: PartitionRequirements, gpu: GpuRoom, share: ChosenShare): GpuOffer {
  if (isWholeGpu) return { gpu, share, wasteMilli: 0, tightness: gpu.memoryBytes };
  const wasteMilli = Math.round((share.cardRatio - memoryBytes / gpu.memoryBytes) * 1_000);
  if (!("placement" in share)) return { gpu, share, wasteMilli: Math.max(0, wasteMilli), tightness: gpu.freeBytes };
  const layout = gpu.cut?.mode === "mig" ? gpu.cut.layout : EMPTY_LAYOUT;
  return { gpu, share, wasteMilli: Math.max(0, wasteMilli), tightness: valueLost(roomOf(layout), share.placement.profile) ?? 0 };
}

/** The member that the offer makes; a soft or whole one has just the bytes that were asked for. */
export function memberOf({ gpu, share }: GpuOffer, neededBytes: number): PlacedMember {
  const { node, gpu: index } = gpu;
  const { mode, computePercent } = share;
  if ("placement" in share)
    return { node, gpu: index, mode, mig: share.placement, memoryBytes: share.memoryBytes, computePercent: Math.max(1, computePercent) };
  return { node, gpu: index, mode, mig: null, memoryBytes: neededBytes, computePercent };
}
