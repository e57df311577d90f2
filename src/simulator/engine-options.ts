import { GB } from "../base/bytes.ts";
import type { NodeName } from "../base/ids.ts";
import type { BatchProfile } from "../engine-model/batch-scheduler.ts";
import { SIMULATED_PREFILL_TOKENS_PER_SECOND } from "../engine-model/prefill-rate.ts";

/** Everything that makes one simulated engine what it is. */
export interface EngineOptions {
  readonly instance: string;
  readonly model: string;
  readonly revision: string;
  /** Further names that it answers to, as LoRA adapters do. */
  readonly adapters: readonly string[];
  readonly weightsBytes: number;
  readonly contextLength: number;
  /** Its GPUs, all on one node; empty = it stands on no account. */
  readonly gpus: readonly { readonly node: NodeName; readonly gpu: number }[];
  /** All that it may hold, on each GPU. */
  readonly memoryBytesPerGpu: number;
  readonly load: { readonly link: "disk" | "network"; readonly bytesPerSecond: number };
  /** Host memory to GPU, for wakes; used, like the rate of the load, only where no account shares the links. */
  readonly wakeBytesPerSecond: number;
  /** Share of a GPU's time that its steps take while it is alone there: above 0, up to 1. */
  readonly demandRatio: number;
  readonly profile: Omit<BatchProfile, "kvBlocks">;
  readonly areFaultsEnabled: boolean;
  readonly isSleepEnabled: boolean;
  /** Strict: a request while asleep, or a sleep while a request runs, ends the process, as they did with vLLM. */
  readonly diesOfRequestsAsleep: boolean;
  /** So many first tokens of a chat's answer its parser tells as reasoning; 0 = it has none. */
  readonly reasoningTokens: number;
  /** Of a stream so many tokens are told at a time, after the first one. */
  readonly tokensPerChunk: number;
  /** Ends itself when no probe has carried this claim for 30 s; null = nobody's. */
  readonly claim: string | null;
}

/** A profile near an 8B model in 16 bits on one large GPU: 8 ms a token alone, 11 ms with 64 others. */
export const ENGINE_DEFAULTS: EngineOptions = {
  instance: "engine",
  model: "tidegate-sim-8b",
  revision: "r1",
  adapters: [],
  weightsBytes: 16 * GB,
  contextLength: 8_192,
  gpus: [],
  memoryBytesPerGpu: 24 * GB,
  load: { link: "disk", bytesPerSecond: 12 * GB },
  wakeBytesPerSecond: 54 * GB,
  demandRatio: 1,
  profile: {
    maxBatch: 64,
    stepBaseMs: 8,
    stepPerSequenceMs: 0.05,
    prefillTokensPerSecond: SIMULATED_PREFILL_TOKENS_PER_SECOND,
    prefillChunkTokens: 2_048,
  },
  areFaultsEnabled: false,
  isSleepEnabled: false,
  diesOfRequestsAsleep: true,
  reasoningTokens: 0,
  tokensPerChunk: 1,
  claim: null,
};
