import type { Explanation } from "../base/result.ts";
import type { InstanceName, NodeName, PartitionName, ServiceName, TenantId } from "../base/ids.ts";

export type PartitionMode = "exclusive" | "mig" | "vgpu" | "mps" | "time-slicing";

interface PartitionClaim {
  readonly name: PartitionName;
  readonly tenant: TenantId;
  readonly service: ServiceName;
  readonly instance: InstanceName;
  readonly mode: PartitionMode;
  readonly memoryBytes: number;
  readonly computePercent: number;
}

/** A slice of one GPU promised to one instance. Written only by the partition-controller. */
export interface GpuPartition extends PartitionClaim {
  readonly node: NodeName;
  readonly gpu: number;
  readonly phase: "Pending" | "Bound" | "Releasing";
}

/** Asked for, and no GPU found: `refusal` says why, with the code of the placement. */
export interface UnplacedPartition extends PartitionClaim {
  readonly node: null;
  readonly gpu: null;
  readonly phase: "Pending";
  readonly refusal: Explanation & { readonly code: string };
}
