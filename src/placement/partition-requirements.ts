import type { GpuPartition, PartitionMode } from "../api/gpu-partition.ts";
import type { HotStandbyConfig, Isolation } from "../api/hot-standby-config.ts";
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
      readonly mode: SoftMode;
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
  readonly tenants: readonly TenantId[];
  /** Its node's NVIDIA Container Toolkit is known to be 1.17.8 or newer: below it a container can reach its neighbours. */
  readonly mayMixTenants: boolean;
}

/**
 * What a config asks for one instance. It names a ceiling and no least share: guarantees are the classes' weights over a GPU's holders, known
 * only there, so `leastComputePercent` is for whoever promises more. Only an explicit class of bronze agrees to be oversold.
 */
export function partitionRequirements(
  { isolation, qosClass, isQosClassExplicit }: Pick<HotStandbyConfig, "isolation" | "qosClass" | "isQosClassExplicit">,
  { tenant, isExclusive, memberBytes, computePercent }: Pick<InstanceRequest, "tenant" | "isExclusive" | "memberBytes" | "computePercent">,
): PartitionRequirements {
  return {
    tenant,
    isolation,
    isWholeGpu: isExclusive,
    memoryBytes: Math.max(...memberBytes),
    leastComputePercent: isExclusive ? 100 : 0,
    ceilingPercent: computePercent,
    mayBeOversold: isQosClassExplicit && qosClass === "bronze",
  };
}

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
  readonly why: string;
}
