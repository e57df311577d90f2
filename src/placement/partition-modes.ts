import type { PartitionMode } from "../api/gpu-partition.ts";
import type { Isolation } from "../api/hot-standby-config.ts";

/** Who keeps a holder within its share: hardware cannot be talked round, a service sits outside the tenant, hooks run inside it. */
export type Enforcer = "hardware" | "service" | "hooks" | "nobody";

/** What one way to cut a GPU gives, costs and cannot do. */
export interface PartitionModeTraits {
  /** The most that a config's `isolation` may ask of it. */
  readonly isolation: Isolation;
  /** Memory, compute and faults are all kept apart by hardware: only then is a share called hard. */
  readonly isHard: boolean;
  readonly memory: Enforcer;
  readonly compute: Enforcer;
  /** own = a fault of one holder ends nobody else; shared = one fault can end all. */
  readonly faults: "own" | "shared";
  readonly cacheAndBandwidth: "own" | "shared";
  readonly flexibility: "low" | "medium" | "high" | "very-high";
  /** What can be changed while a holder runs. */
  readonly changesWhileRunning: string;
  /** Holders of one GPU; null = no limit that we have a source for. */
  readonly maxHolders: number | null;
  readonly limits: string;
  readonly enforcedBy: string;
}

/**
 * Isolation and flexibility as the tier design names them; limits and enforcers as read in NVIDIA's device plugin 1b826ac, mig-parted bd7160f,
 * HAMi 4707fb0 and HAMi-core 8f3a89c. PCIe and power are kept apart in
 * none of them; that MIG keeps faults and cache apart is NVIDIA's word, which we have not tried.
 */
export const PARTITION_MODES: Readonly<Record<PartitionMode, PartitionModeTraits>> = {
  exclusive: {
    isolation: "strong",
    isHard: true,
    memory: "hardware",
    compute: "hardware",
    faults: "own",
    cacheAndBandwidth: "own",
    flexibility: "low",
    changesWhileRunning: "nothing: the GPU is given to another instance as a whole",
    maxHolders: 1,
    limits: "one instance a GPU",
    enforcedBy: "the allocator: nobody else is placed on the card, and the driver gives each process a context of its own",
  },
  mig: {
    isolation: "strong",
    isHard: true,
    memory: "hardware",
    compute: "hardware",
    faults: "own",
    cacheAndBandwidth: "own",
    flexibility: "medium",
    changesWhileRunning: "other slices, each only while it is idle; a running one keeps its size",
    maxHolders: 7,
    limits: "fixed profiles at legal starts; never together with MPS in the device plugin",
    enforcedBy: "the GPU: memory slices and multiprocessors of a MIG instance",
  },
  vgpu: {
    isolation: "medium",
    isHard: false,
    memory: "hooks",
    compute: "hooks",
    faults: "shared",
    cacheAndBandwidth: "shared",
    flexibility: "high",
    changesWhileRunning: "nothing by HAMi: limits are read at start",
    // HAMi's deviceSplitCount, by default.
    maxHolders: 10,
    limits: "a lone holder is not held to its cores; a tenant that owns its environment can switch the hooks off",
    enforcedBy: "HAMi-core in the tenant's process: memory in the allocation calls, cores by a token bucket every 120 ms",
  },
  mps: {
    isolation: "weak",
    isHard: false,
    memory: "service",
    compute: "service",
    faults: "shared",
    cacheAndBandwidth: "shared",
    flexibility: "high",
    changesWhileRunning: "other holders come and go; the share of a running one cannot change",
    maxHolders: null,
    limits: "memory is limited by process, so two processes get it twice; never together with MIG in the device plugin",
    enforcedBy: "the MPS daemon: pinned memory and active thread percentage of each client",
  },
  "time-slicing": {
    isolation: "weak",
    isHard: false,
    memory: "nobody",
    compute: "nobody",
    faults: "shared",
    cacheAndBandwidth: "shared",
    flexibility: "very-high",
    changesWhileRunning: "holders come and go; turns are equal, whatever was asked",
    maxHolders: null,
    limits: "no limit of memory at all",
    enforcedBy: "nobody: the driver gives equal turns, and memory is only accounted for",
  },
};

export type PlanningLossPercent = Readonly<Record<PartitionMode, number>>;

/**
 * Compute that a mode costs its holders, in percent, for planning: our model's defaults, without a measurement behind them. The design names
 * 0, 5, 10 and 15; for MPS it says "calibrate", and until then it is planned between a whole GPU and the hooks of vGPU.
 */
export const DEFAULT_PLANNING_LOSS_PERCENT: PlanningLossPercent = { exclusive: 0, mig: 5, vgpu: 10, mps: 5, "time-slicing": 15 };

const ISOLATION_ORDER: readonly Isolation[] = ["none", "weak", "medium", "strong"];
/** 0..3, stronger is more. */
export const isolationRank = (isolation: Isolation): number => ISOLATION_ORDER.indexOf(isolation);
