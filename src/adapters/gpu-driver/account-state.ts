import type { GpuLostMode } from "../../api/fault.ts";
import type { GpuNode } from "../../api/gpu-node.ts";
import type { GpuPartition } from "../../api/gpu-partition.ts";
import type { MigPlacement } from "../../api/mig-layout.ts";
import type { NodeName, TenantId, WallMs } from "../../base/ids.ts";

/** What one process holds. */
export interface HeldBytes {
  readonly instance: string;
  readonly pid: number;
  readonly gpus: readonly HeldGpu[];
  readonly hosts: readonly { readonly node: string; readonly bytes: number }[];
  /** Of a dead process: its bytes are free then. null = it lives, as far as anybody knows. */
  readonly freeAtWallMs: WallMs | null;
}

export interface HeldGpu {
  readonly node: string;
  readonly gpu: number;
  readonly bytes: number;
  readonly isParked: boolean;
  readonly tenant: TenantId | null;
  readonly mig: MigPlacement | null;
}

/** A GPU that nobody can use. */
export interface LostGpu {
  readonly node: NodeName;
  readonly gpu: number;
  readonly mode: GpuLostMode;
  readonly untilWallMs: WallMs;
}

/** A GPU whose driver is slow to free what dead processes held. */
export interface SlowGpu {
  readonly node: NodeName;
  readonly gpu: number;
  readonly teardownMs: number;
  readonly untilWallMs: WallMs;
}

/** Free bytes of a GPU that were somebody's, and were not scrubbed. */
export interface DirtyBytes {
  readonly node: NodeName;
  readonly gpu: number;
  readonly tenant: TenantId | null;
  readonly mig: MigPlacement | null;
  readonly bytes: number;
}

/** The whole account as data: what survives a restart of the process that keeps it. */
export interface AccountState {
  /** Each comes back at its wall time, whoever lost it. */
  readonly lost: readonly LostGpu[];
  readonly slow: readonly SlowGpu[];
  readonly dirty: readonly DirtyBytes[];
  readonly nodes: readonly GpuNode[];
  readonly partitions: readonly GpuPartition[];
  readonly holders: readonly HeldBytes[];
}
