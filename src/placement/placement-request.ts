import type { CapacityType, Isolation, Level, NodeSelector, Tier } from "../api/hot-standby-config.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { PartitionMode } from "../api/gpu-partition.ts";
import type { MigPlacement } from "../api/mig-layout.ts";
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
  /** The least that each of its partitions must give. */
  readonly isolation: Isolation;
  /** Its owner agreed to a GPU where nothing limits its neighbours' memory. */
  readonly mayBeOversold: boolean;
  /** On a shared GPU, the most of its compute while others want it: 1..100. */
  readonly computePercent: number;
  /** On a shared GPU, the most bytes that its class allows; null = no class was written. */
  readonly capBytes: number | null;
  /** One entry a GPU; all GPUs belong to one node. */
  readonly memberBytes: readonly number[];
  /** true = each GPU is this instance's alone. */
  readonly isExclusive: boolean;
  readonly nodeSelector: NodeSelector;
  readonly capacityType: CapacityType | null;
  /** Host memory that the weights take while the instance sleeps; 0 = it never sleeps. */
  readonly hostBytes: number;
}

/** One GPU of an instance, and what of it the instance gets. */
export interface PlacedMember extends GpuPlace {
  readonly mode: PartitionMode;
  /** The MIG instance; null in every other mode. */
  readonly mig: MigPlacement | null;
  readonly memoryBytes: number;
  readonly computePercent: number;
}

/** Bytes of one GPU that somebody holds or was promised. */
export interface HeldSlice extends GpuPlace {
  readonly instance: InstanceName;
  /** null = of no tenant that is known: a process that is still there. */
  readonly tenant: TenantId | null;
  /** null = of no service that is known: a process that is still there. */
  readonly service: ServiceName | null;
  readonly level: Level | null;
  readonly memoryBytes: number;
  /** null = nobody promised it: a process that is still there. */
  readonly mode: PartitionMode | null;
  readonly mig: MigPlacement | null;
  /** Of the whole instance; counted once per instance and node. */
  readonly hostBytes: number;
}

/** What there is: declared nodes, promised slices, and GPUs that take nothing new. */
export interface Fleet {
  readonly nodes: readonly GpuNode[];
  readonly held: readonly HeldSlice[];
  /** Lost for everybody. */
  readonly lost: readonly GpuPlace[];
  /** They take nobody new: what is to happen there was decided before. A handful at most. */
  readonly closed?: readonly GpuPlace[];
  /** Not to be used by one service. */
  readonly quarantined: readonly (GpuPlace & { readonly service: ServiceName })[];
  /** All that is asked for now, whether it stands or not: what there must be room for. Absent = not known. */
  readonly wanted?: readonly InstanceRequest[] | undefined;
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
  /** `modes` = all that the GPUs of the nodes in question offer; `isolation` is more than each of them gives. */
  | {
      readonly code: "ISOLATION_UNAVAILABLE";
      readonly instance: InstanceName;
      readonly isolation: Isolation;
      readonly modes: readonly PartitionMode[];
    }
  /** `gpu` would have the room; `why` = whom it would meet there, and why it must not. */
  | { readonly code: "TENANTS_MIXED"; readonly instance: InstanceName; readonly gpu: GpuPlace; readonly why: string }
  /** `why` = what stands in the way on the GPU that comes nearest. */
  | {
      readonly code: "GEOMETRY";
      readonly instance: InstanceName;
      readonly neededBytes: number;
      readonly gpu: GpuPlace;
      readonly why: string;
    }
  /** Its place is being made. */
  | { readonly code: "RELOCATING"; readonly instance: InstanceName; readonly gpu: GpuPlace; readonly why: string }
  | { readonly code: "CAP_EXCEEDED"; readonly instance: InstanceName; readonly neededBytes: number; readonly capBytes: number }
  | { readonly code: "NO_HOST_MEMORY"; readonly instance: InstanceName; readonly neededBytes: number; readonly freeBytes: number };

/** Placed, but closer to its own service than it should be, or with less than it asks for now. */
export interface PlacementNotice extends Explanation {
  readonly code: "SAME_NODE" | "SAME_SPOT_POOL" | "SAME_ZONE" | "OUTGROWN";
}

export interface PlacedInstance {
  readonly request: InstanceRequest;
  /** In the order of `memberBytes`. */
  readonly members: readonly PlacedMember[];
}

export const placeKey = ({ node, gpu }: GpuPlace): string => `${node}/${gpu}`;

/** It asks for more on a shared GPU than its class may have: no room helps it. */
export const isOverCap = ({ capBytes, memberBytes }: Pick<InstanceRequest, "capBytes" | "memberBytes">): boolean =>
  capBytes !== null && Math.max(...memberBytes) > capBytes;
