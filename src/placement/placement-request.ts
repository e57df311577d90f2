import type { CapacityType, Level, NodeSelector, Tier } from "../api/hot-standby-config.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { PartitionMode } from "../api/gpu-partition.ts";
import type { InstanceName, NodeName, ServiceName, TenantId } from "../base/ids.ts";
import type { Explanation } from "../base/result.ts";

export interface GpuPlace {
  readonly node: NodeName;
  /** 0-based index on the node. */
  readonly gpu: number;
}

/** What one instance (or one cold reserve) needs of the fleet. */
export interface InstanceRequest {
  readonly instance: InstanceName;
  readonly tenant: TenantId;
  readonly service: ServiceName;
  readonly level: Level;
  readonly tier: Tier;
  readonly priority: number;
  readonly mode: PartitionMode;
  readonly computePercent: number;
  /** One entry a GPU; all GPUs belong to one node. */
  readonly memberBytes: readonly number[];
  /** true = each GPU is this instance's alone. */
  readonly isExclusive: boolean;
  readonly nodeSelector: NodeSelector;
  readonly capacityType: CapacityType | null;
  /** Host memory that the weights take while the instance sleeps; 0 = it never sleeps. */
  readonly hostBytes: number;
}

/** Bytes of one GPU that somebody holds or was promised. */
export interface HeldSlice extends GpuPlace {
  readonly instance: InstanceName;
  /** null = of no service that is known: a process that is still there. */
  readonly service: ServiceName | null;
  readonly level: Level | null;
  readonly memoryBytes: number;
  readonly isExclusive: boolean;
  /** Of the whole instance; counted once per instance and node. */
  readonly hostBytes: number;
}

/** What there is: declared nodes, promised slices, and GPUs that take nothing new. */
export interface Fleet {
  readonly nodes: readonly GpuNode[];
  readonly held: readonly HeldSlice[];
  /** Lost for everybody. */
  readonly lost: readonly GpuPlace[];
  /** Not to be used by one service. */
  readonly quarantined: readonly (GpuPlace & { readonly service: ServiceName })[];
}

export type PlacementRefusal =
  | { readonly code: "NO_MATCHING_NODE"; readonly instance: InstanceName; readonly wanted: string; readonly nodeCount: number }
  | {
      readonly code: "NO_EXCLUSIVE_GPU";
      readonly instance: InstanceName;
      readonly neededCount: number;
      readonly neededBytes: number;
      readonly freeCount: number;
    }
  | { readonly code: "NO_CAPACITY"; readonly instance: InstanceName; readonly neededBytes: number; readonly freeBytes: number }
  | { readonly code: "NO_HOST_MEMORY"; readonly instance: InstanceName; readonly neededBytes: number; readonly freeBytes: number };

/** Placed, but closer to its own service than it should be. */
export interface PlacementNotice extends Explanation {
  readonly code: "SAME_NODE" | "SAME_ZONE";
}

export interface PlacedInstance {
  readonly request: InstanceRequest;
  /** In the order of `memberBytes`. */
  readonly members: readonly GpuPlace[];
}

export const placeKey = ({ node, gpu }: GpuPlace): string => `${node}/${gpu}`;
