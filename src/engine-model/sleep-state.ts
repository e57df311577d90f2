import type { MemoryPlan } from "./memory-plan.ts";

/** What a sleeping engine gave away, and gets back one by one. */
export const SLEEP_TAGS = ["weights", "kv_cache"] as const;
export type SleepTag = (typeof SLEEP_TAGS)[number];

/** An engine's residence on its GPUs. Awake = nothing absent. */
export interface SleepState {
  readonly absent: readonly SleepTag[];
  /** true = the weights' memory is there without their values (after level 2): garbage until they are loaded again. */
  readonly areWeightsStale: boolean;
}

export const AWAKE: SleepState = { absent: [], areWeightsStale: false };
export const isAsleep = (state: SleepState): boolean => state.absent.length > 0;

/** Level 1 keeps the weights in host memory, level 2 drops them. Sleeping deeper while asleep loses the weights too. */
export const fallAsleep = (state: SleepState, level: 1 | 2): SleepState => ({
  absent: SLEEP_TAGS,
  areWeightsStale: state.areWeightsStale || level === 2,
});

export const bringBack = (state: SleepState, tags: readonly SleepTag[]): SleepState => ({
  ...state,
  absent: state.absent.filter((tag) => !tags.includes(tag)),
});

export const reloadWeights = (state: SleepState): SleepState => ({ ...state, areWeightsStale: false });

/** What the engine holds on each GPU in that state. */
export function heldBytes(state: SleepState, plan: MemoryPlan): number {
  const areWeightsAbsent = state.absent.includes("weights");
  if (state.absent.includes("kv_cache")) return plan.parkedBytesPerGpu + (areWeightsAbsent ? 0 : plan.weightsBytesPerGpu);
  return plan.heldBytesPerGpu - (areWeightsAbsent ? plan.weightsBytesPerGpu : 0);
}

/** What a wake costs beside the transfer of the weights: mapping memory, rebuilding the pools. */
export const WAKE_FIXED_MS = 200;
