import type { GpuNode } from "../../api/gpu-node.ts";
import type { GpuPartition } from "../../api/gpu-partition.ts";

/** What one process holds. */
export interface HeldBytes {
  readonly instance: string;
  readonly pid: number;
  readonly gpus: readonly { readonly node: string; readonly gpu: number; readonly bytes: number }[];
  readonly hosts: readonly { readonly node: string; readonly bytes: number }[];
}

/** The whole account as data: what survives a restart of the process that keeps it. */
export interface AccountState {
  readonly nodes: readonly GpuNode[];
  readonly partitions: readonly GpuPartition[];
  readonly holders: readonly HeldBytes[];
}
