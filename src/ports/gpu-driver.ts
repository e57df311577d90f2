import type { InstanceName, NodeName } from "../base/ids.ts";
import type { Result } from "../base/result.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { GpuPartition } from "../api/gpu-partition.ts";

/** One GPU as the driver sees it now. */
export interface ObservedGpu {
  readonly node: NodeName;
  readonly gpu: number;
  readonly health: "ok" | "lost";
  readonly memoryBytes: number;
  readonly holders: readonly { readonly instance: InstanceName; readonly pid: number; readonly usedBytes: number }[];
}

export type GpuDriverError =
  /** Nobody to ask, or no such GPU. */
  | { readonly code: "DRIVER_UNAVAILABLE"; readonly reason: string }
  /** The GPU cannot be cut so beside what it is cut into now. */
  | { readonly code: "GEOMETRY"; readonly reason: string }
  /** A process runs where MIG would begin, or in the MIG instance that would go. */
  | { readonly code: "IN_USE"; readonly reason: string };

/** Partitions as the hardware (or the simulated account) knows them. */
export interface GpuDriver {
  observe(): Promise<Result<readonly ObservedGpu[], GpuDriverError>>;
  /** Tells the driver of the nodes it accounts for; idempotent. Real drivers find them by themselves. */
  ensureInventory(nodes: readonly GpuNode[]): Promise<Result<null, GpuDriverError>>;
  /** One of the same name that stands elsewhere, or is another MIG instance, gives way to it. */
  ensurePartition(partition: GpuPartition): Promise<Result<null, GpuDriverError>>;
  removePartition(partition: Pick<GpuPartition, "name" | "node" | "gpu" | "instance">): Promise<Result<null, GpuDriverError>>;
}
