import type { NodeName } from "../base/ids.ts";
import type { PartitionMode } from "./gpu-partition.ts";
import type { CapacityType } from "./hot-standby-config.ts";

export const ZONE_LABEL = "topology.kubernetes.io/zone";

export interface Gpu {
  /** 0-based, as in `gpu-a/0`. */
  readonly index: number;
  readonly model: string;
  readonly memoryBytes: number;
  /** Ways in which it may be cut, at least one. */
  readonly modes: readonly PartitionMode[];
}

/** Bytes per second of the links that weights travel over. */
export interface NodeLinks {
  readonly hostToGpu: number;
  readonly disk: number;
  readonly network: number;
}

/** One machine of the inventory. Made only by `parseGpuNode`. */
export interface GpuNode {
  readonly name: NodeName;
  readonly labels: Readonly<Record<string, string>>;
  /** The value of ZONE_LABEL, or null. */
  readonly zone: string | null;
  readonly capacityType: CapacityType;
  readonly hostMemoryBytes: number;
  readonly links: NodeLinks;
  /** The version of its NVIDIA Container Toolkit, where that is no wall between tenants: they must not share a GPU then. null = they may. */
  readonly unsafeToolkit: string | null;
  readonly gpus: readonly Gpu[];
}
