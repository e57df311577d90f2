import type { InstanceName, NodeName, PartitionName, ServiceName, TenantId } from "../base/ids.ts";

export type PartitionMode = "exclusive" | "mig" | "vgpu" | "mps" | "time-slicing";

/** A slice of one GPU promised to one instance. Written only by the partition-controller. */
export interface GpuPartition {
  readonly name: PartitionName;
  readonly tenant: TenantId;
  readonly service: ServiceName;
  readonly instance: InstanceName;
  readonly mode: PartitionMode;
  readonly node: NodeName;
  readonly gpu: number;
  readonly memoryBytes: number;
  readonly computePercent: number;
  readonly phase: "Pending" | "Bound" | "Releasing";
}
