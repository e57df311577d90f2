import type { ServiceName, TenantId } from "../base/ids.ts";
import type { ReservationMatch } from "./reservation-conflict.ts";

export type Tier = "platinum" | "gold" | "silver";
export type Level = "hot" | "warm" | "cold";
export type QosClass = "gold" | "silver" | "bronze";
export type Isolation = "none" | "weak" | "medium" | "strong";
export type CapacityType = "on-demand" | "spot";
export type EngineKind = "simulated" | "vllm" | "sglang" | "llama.cpp";
export type NodeSelector = Readonly<Record<string, string>>;

/** The model that a service serves; `name` is what clients put into `model`. */
export interface ModelSpec {
  readonly name: string;
  readonly engine: EngineKind;
  readonly revision: string;
  readonly weightsBytes: number;
  readonly contextLength: number;
  readonly tensorParallelSize: number;
  readonly image: string | null;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly adapters: readonly string[];
}

/** What the hot and the warm level have in common. Bytes are in all, over the GPUs of the level. */
export interface LevelSpec {
  readonly gpuCount: number;
  readonly memoryReservedBytes: number;
  readonly nodeSelector: NodeSelector;
  /** false = the GPU is this instance's alone. */
  readonly isShared: boolean;
  /** null = anywhere. */
  readonly capacityType: CapacityType | null;
}
export interface HotSpec extends LevelSpec {
  readonly minGpuCount: number;
  readonly maxGpuCount: number;
}
export interface WarmSpec extends LevelSpec {
  readonly rest: "resident" | "asleep";
  readonly lend: "never" | "whenIdle";
}
export interface ColdSpec {
  readonly gpuCount: number;
  /** 0 = nothing is held: the start depends on what is free. */
  readonly memoryReservedBytes: number;
  readonly nodeSelector: NodeSelector;
  readonly isShared: boolean;
  readonly capacityType: CapacityType | null;
  /** true = loads at the local disk's rate instead of the network's. */
  readonly isImageCached: boolean;
}

export type DegradedStep =
  | { readonly kind: "queue"; readonly upToMs: number }
  | { readonly kind: "model"; readonly name: string }
  | { readonly kind: "shed" };

export interface FailoverPolicy {
  readonly isAutomatic: boolean;
  readonly maxFailoverCount: number;
  readonly windowMs: number;
  readonly rtoTargetMs: number;
  readonly failback: { readonly preferred: "hot" | "none"; readonly soakMs: number; readonly stepsPercent: readonly number[] };
}

export interface Overflow {
  /** An endpoint is saturated at in flight >= ratio x max batch. */
  readonly inFlightRatio: number;
  readonly queuedForMs: number;
}

/** null = no limit. */
export interface Limits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly concurrency: number | null;
  readonly maxTokens: number | null;
}

/**
 * One service, every default applied. Made only by `parseHotStandbyConfig`.
 * Instances of a level = gpuCount / model.tensorParallelSize, always whole.
 */
export interface HotStandbyConfig {
  readonly name: ServiceName;
  readonly tenant: TenantId;
  /** Larger goes first inside a tier: low -100, normal 0, high 100, or any integer. */
  readonly priority: number;
  readonly tier: Tier;
  readonly isTierInferred: boolean;
  readonly qosClass: QosClass;
  readonly isQosClassExplicit: boolean;
  readonly isolation: Isolation;
  readonly model: ModelSpec;
  readonly hot: HotSpec;
  readonly warm: WarmSpec | null;
  readonly cold: ColdSpec | null;
  readonly traffic: {
    /** One per hot instance, relative; null = the default of the level's size. */
    readonly weights: readonly number[] | null;
    readonly mirrorPercent: number;
  };
  readonly overflow: Overflow;
  readonly failoverPolicy: FailoverPolicy;
  readonly degraded: readonly DegradedStep[];
  readonly limits: Limits;
  /** null = the ConfigMap standby-gpu-reservation adds nothing to this service, and contradicts nothing. */
  readonly reservation: ReservationMatch | null;
}
