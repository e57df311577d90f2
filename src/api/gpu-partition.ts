import type { Explanation } from "../base/result.ts";
import type { InstanceName, NodeName, PartitionName, ServiceName, TenantId } from "../base/ids.ts";
import type { MigPlacement } from "./mig-layout.ts";

export const PARTITION_MODE_NAMES = ["exclusive", "mig", "vgpu", "mps", "time-slicing"] as const;
export type PartitionMode = (typeof PARTITION_MODE_NAMES)[number];

interface PartitionClaim {
  readonly name: PartitionName;
  readonly tenant: TenantId;
  readonly service: ServiceName;
  readonly instance: InstanceName;
  /** Of an unplaced one: the mode that it would rather have. */
  readonly mode: PartitionMode;
  readonly memoryBytes: number;
  readonly computePercent: number;
}

/** A slice of one GPU promised to one instance. Written only by the partition-controller. */
export interface GpuPartition extends PartitionClaim {
  readonly node: NodeName;
  readonly gpu: number;
  /** Which MIG instance of the GPU it is; null in every other mode. */
  readonly mig: MigPlacement | null;
  /** Its instance must leave this place, and why: it is drained when its service can do without; null = it may stay. */
  readonly leaving: string | null;
  readonly phase: "Pending" | "Bound" | "Releasing";
}

/** Asked for, and no GPU found: `refusal` says why, with the code of the placement. */
export interface UnplacedPartition extends PartitionClaim {
  readonly node: null;
  readonly gpu: null;
  readonly mig: null;
  readonly leaving: null;
  readonly phase: "Pending";
  readonly refusal: Explanation & { readonly code: string };
}
