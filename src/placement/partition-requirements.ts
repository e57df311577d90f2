import type { GpuPartition, PartitionMode } from "../api/gpu-partition.ts";
import type { Isolation } from "../api/hot-standby-config.ts";
import type { MigLayout, TenantId } from "../base/ids.ts";
import type { InstanceRequest } from "./placement-request.ts";

/** What one member of an instance needs of the one GPU that it gets a share of. */
export interface PartitionRequirements {
  readonly tenant: TenantId;
  /** The least that will do. */
  readonly isolation: Isolation;
  /** true = nobody else on the card, whatever the isolation. */
  readonly isWholeGpu: boolean;
  readonly memoryBytes: number;
  /** Of the card's compute, what must be left after the mode's loss while all others are busy: 0..100. */
  readonly leastComputePercent: number;
  /** Of the card's compute, the most that it may take while others want it: 1..100. */
  readonly ceilingPercent: number;
  /** Its owner agreed to a card where nothing limits its neighbours' memory. */
  readonly mayBeOversold: boolean;
}

type SoftMode = Exclude<PartitionMode, "exclusive" | "mig">;
/** How a GPU is cut now. A GPU is in one mode at a time. */
export type GpuCut =
  | { readonly mode: "exclusive" }
  | { readonly mode: "mig"; readonly layout: MigLayout }
  | {
      /** null = only processes that nobody promised anything: the card is in use, and not cut. */
      readonly mode: SoftMode | null;
      readonly usedBytes: number;
      /** Sum of what was promised as the least, loss included: 0..100. */
      readonly promisedPercent: number;
      readonly holderCount: number;
    };

export interface CandidateGpu {
  readonly model: string;
  readonly memoryBytes: number;
  /** What its driver can do. */
  readonly modes: readonly PartitionMode[];
  /** null = nobody holds anything on it, and it can be cut in any of its modes. */
  readonly cut: GpuCut | null;
  /** Whose is what is held there; null = of a process that nobody promised anything. Filled in only where it matters. */
  readonly tenants: ReadonlySet<TenantId | null>;
  /** Of its node: with it tenants must not share the GPU; null = they may. */
  readonly unsafeToolkit: string | null;
}

/**
 * What an instance asks of each of its GPUs. It names a ceiling and no least share: guarantees are the classes' weights over a GPU's holders,
 * known only there, so `leastComputePercent` is for whoever promises more.
 */
export const partitionRequirements = (
  request: Pick<InstanceRequest, "tenant" | "isolation" | "isExclusive" | "memberBytes" | "computePercent" | "mayBeOversold">,
): PartitionRequirements => ({
  tenant: request.tenant,
  isolation: request.isolation,
  isWholeGpu: request.isExclusive,
  memoryBytes: Math.max(...request.memberBytes),
  leastComputePercent: request.isExclusive ? 100 : 0,
  ceilingPercent: request.computePercent,
  mayBeOversold: request.mayBeOversold,
});

/** The share that a choice gives: what a GPUPartition is written from. */
export interface PartitionShare extends Pick<GpuPartition, "mode" | "memoryBytes" | "computePercent"> {
  /** Of the card, by the scarcer of memory and compute: 0..1. What it costs. */
  readonly cardRatio: number;
}

export type ModeRefusalCode =
  /** The mode is not for this instance, or not on this GPU now. */
  | "ISOLATION_UNAVAILABLE"
  | "WHOLE_GPU_ASKED"
  | "NOT_OFFERED"
  | "OTHER_MODE"
  | "TENANTS_MIXED"
  | "OPT_IN_NEEDED"
  /** It is, but there is no room, or not enough compute. */
  | "NO_CAPACITY"
  | "TOO_MANY_HOLDERS"
  | "PERFORMANCE"
  | "GEOMETRY"
  | "GEOMETRY_UNKNOWN";
export interface ModeRefusal {
  readonly code: ModeRefusalCode;
  /** Said only when somebody reads it: placement asks of thousands of GPUs. */
  readonly why: () => string;
}
