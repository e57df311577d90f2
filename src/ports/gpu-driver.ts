import type { InstanceName, NodeName, TenantId } from "../base/ids.ts";
import type { Result } from "../base/result.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { MigPlacement } from "../api/mig-layout.ts";
import type { GpuPartition } from "../api/gpu-partition.ts";

/** One GPU of a node, by its 0-based index. */
interface GpuPlace {
  readonly node: NodeName;
  readonly gpu: number;
}

/** Device time of one process on a shared GPU, both since it began and as of its last report: their growth is what it was granted and took. */
export interface ObservedCompute {
  /** Of the card, while it had work and beside who worked then. */
  readonly grantedMs: number;
  readonly usedMs: number;
}

/** One GPU as the driver sees it now. */
export interface ObservedGpu {
  readonly node: NodeName;
  readonly gpu: number;
  /** needs-reset = it is there and takes nothing: work on it fails until somebody has reset it. */
  readonly health: "ok" | "lost" | "needs-reset";
  readonly memoryBytes: number;
  readonly holders: readonly GpuHolder[];
  /** Free bytes that nobody has written over since; never given to another owner so. Empty where the driver cannot tell. */
  readonly dirty: readonly {
    /** null = of a process that belongs to no tenant. */
    readonly tenant: TenantId | null;
    /** The MIG instance that they are in; null = the GPU's common memory. */
    readonly mig: MigPlacement | null;
    readonly bytes: number;
  }[];
  /** Since the driver began to count. */
  readonly scrub: { readonly scrubbedBytes: number; readonly waitCount: number; readonly waitedMs: number };
}

export interface GpuHolder {
  readonly instance: InstanceName;
  readonly pid: number;
  readonly usedBytes: number;
  /** parked = it sleeps, and this is what remains: in use as any other byte, never to be lent. gone = its process is dead, its bytes not yet free. */
  readonly state: "awake" | "parked" | "gone";
  /** null = it shares no compute, or has not worked yet. */
  readonly compute: ObservedCompute | null;
}

/** Of a GPU of which nothing was ever freed, or whose driver cannot tell. */
export const NO_DIRT: Pick<ObservedGpu, "dirty" | "scrub"> = { dirty: [], scrub: { scrubbedBytes: 0, waitCount: 0, waitedMs: 0 } };

export type GpuDriverError =
  /** Nobody to ask, or no such GPU. */
  | { readonly code: "DRIVER_UNAVAILABLE"; readonly reason: string }
  /** The GPU cannot be cut so beside what it is cut into now. */
  | { readonly code: "GEOMETRY"; readonly reason: string }
  /** A process runs where MIG would begin, or in the MIG instance that would go. */
  | { readonly code: "IN_USE"; readonly reason: string };

/** Partitions as the hardware (or the simulated account) knows them. */
export interface GpuDriver {
  /** @param only these, as far as there are such GPUs; absent = all. */
  observe(only?: readonly GpuPlace[]): Promise<Result<readonly ObservedGpu[], GpuDriverError>>;
  /** Tells the driver of the nodes it accounts for; idempotent. Real drivers find them by themselves. */
  ensureInventory(nodes: readonly GpuNode[]): Promise<Result<null, GpuDriverError>>;
  /** One of the same name that stands elsewhere, or is another MIG instance, gives way to it. */
  ensurePartition(partition: GpuPartition): Promise<Result<null, GpuDriverError>>;
  removePartition(partition: Pick<GpuPartition, "name" | "node" | "gpu" | "instance">): Promise<Result<null, GpuDriverError>>;
}
