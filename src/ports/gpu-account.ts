import type { NodeName } from "../base/ids.ts";
import type { Result } from "../base/result.ts";
import type { GpuApplicationMode, GpuFaultMode, GpuLostMode } from "../api/fault.ts";

export type AccountError =
  | {
      readonly code: "NO_GPU_MEMORY";
      readonly node: NodeName;
      readonly gpu: number;
      readonly neededBytes: number;
      readonly freeBytes: number;
      readonly holders: readonly { readonly instance: string; readonly usedBytes: number }[];
    }
  | { readonly code: "NO_HOST_MEMORY"; readonly node: NodeName; readonly neededBytes: number; readonly freeBytes: number }
  | { readonly code: "GPU_LOST"; readonly node: NodeName; readonly gpu: number; readonly mode: GpuLostMode }
  /** The work of this process on that GPU has failed for good; the GPU itself goes on. */
  | { readonly code: "GPU_FAULT"; readonly node: NodeName; readonly gpu: number; readonly mode: GpuApplicationMode }
  | { readonly code: "UNKNOWN_GPU"; readonly node: NodeName; readonly gpu: number }
  | { readonly code: "ACCOUNT_UNAVAILABLE"; readonly reason: string };

/** How a GPU's compute is shared out to one process now. */
export interface ComputeTerms {
  /** A step takes so many times as long as on the whole card alone; 1 or more. */
  readonly slowdown: number;
  /** By the hardware: a process cannot take more, whatever it does. */
  readonly isEnforced: boolean;
}

/** What a process does with its GPUs' compute: the truth of the hardware, as per-process utilisation is. */
export interface ComputeUse {
  readonly isBusy: boolean;
  /** Device time in all since the process began: what its work takes on the card alone. */
  readonly usedMs: number;
  /** Share of the card's time that its work takes while it is alone there: above 0, up to 1. */
  readonly demandRatio: number;
}

export interface ComputeShare {
  tell(use: ComputeUse): void;
  stop(): void;
}

/** A process can no longer use that GPU. */
export interface GpuEnd {
  readonly node: NodeName;
  readonly gpu: number;
  readonly mode: GpuFaultMode;
}

/**
 * The simulated GPUs as an engine process sees them: what it takes is its own until it releases it or dies.
 * What a dead process held is freed after the driver's teardown delay.
 */
export interface GpuAccount {
  /**
   * Sets what this process holds on that GPU to `bytes` in all (0 = releases). Idempotent. Bytes that another tenant left dirty are scrubbed first,
   * which takes its time.
   * @param residence parked = it sleeps, and this is all that remains. awake without it.
   */
  holdGpu(
    at: { readonly node: NodeName; readonly gpu: number },
    bytes: number,
    residence?: "awake" | "parked",
  ): Promise<Result<null, AccountError>>;
  /** As `holdGpu`, past the limit that is kept by nothing outside the process (vGPU, time-slicing); other modes refuse it all the same. */
  grabGpu(at: { readonly node: NodeName; readonly gpu: number }, bytes: number): Promise<Result<null, AccountError>>;
  /** Sets what this process holds of the node's host memory to `bytes` in all. Idempotent. */
  holdHost(node: NodeName, bytes: number): Promise<Result<null, AccountError>>;
  /** Resolves when `bytes` went over the node's link, which all running transfers share equally. */
  transfer(
    over: { readonly node: NodeName; readonly link: "hostToGpu" | "disk" | "network" },
    bytes: number,
    signal: AbortSignal,
  ): Promise<Result<null, AccountError>>;
  /**
   * Calls `lost` once, with the first of these GPUs that this process can no longer use: a lost one, at once when one is lost already, or one on which
   * it holds bytes that a fault hits. @returns an end of the watch.
   */
  watchLoss(gpus: readonly { readonly node: NodeName; readonly gpu: number }[], lost: (end: GpuEnd) => void): () => void;
  /**
   * Takes part in the compute of these GPUs. `told` is called with new terms, first only when there are any; null = it shares with nobody by
   * right, and need not tell its use.
   */
  shareCompute(
    gpus: readonly { readonly node: NodeName; readonly gpu: number }[],
    told: (terms: ComputeTerms | null) => void,
  ): ComputeShare;
}
