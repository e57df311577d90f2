import type { GpuNode } from "../../api/gpu-node.ts";
import type { GpuPartition } from "../../api/gpu-partition.ts";
import type { NodeName, WallMs } from "../../base/ids.ts";

/** What one process holds. */
export interface HeldBytes {
  readonly instance: string;
  readonly pid: number;
  readonly gpus: readonly { readonly node: string; readonly gpu: number; readonly bytes: number }[];
  readonly hosts: readonly { readonly node: string; readonly bytes: number }[];
}

/** A GPU that has fallen off the bus. */
export interface LostGpu {
  readonly node: NodeName;
  readonly gpu: number;
  readonly untilWallMs: WallMs;
}

/** The whole account as data: what survives a restart of the process that keeps it. */
export interface AccountState {
  /** Lost GPUs; each comes back at its wall time, whoever lost it. */
  readonly lost: readonly LostGpu[];
  readonly nodes: readonly GpuNode[];
  readonly partitions: readonly GpuPartition[];
  readonly holders: readonly HeldBytes[];
}
