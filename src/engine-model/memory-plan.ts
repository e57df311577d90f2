import { GB, GiB } from "../base/bytes.ts";
import { err, ok, type Result } from "../base/result.ts";

/** Tokens of one block of the KV memory. */
export const KV_BLOCK_TOKENS = 16;
// An 8B model of 16 GB with grouped-query attention: 32 layers x 2 x 8 heads x 128 x 2 bytes. Other models in proportion to their weights.
const KV_BYTES_PER_TOKEN = 131_072;
const KV_REFERENCE_WEIGHTS_BYTES = 16 * GB;
// What remains on the card of a sleeping engine: driver context, graphs, allocator. Small slices keep small contexts.
const OVERHEAD_BYTES_MAX = 2.7 * GiB;
const OVERHEAD_RATIO_MAX = 0.1;

/** How an engine uses what it holds, on each of its equal GPUs. */
export interface MemoryPlan {
  readonly heldBytesPerGpu: number;
  readonly weightsBytesPerGpu: number;
  /** What sleep cannot give back. */
  readonly parkedBytesPerGpu: number;
  /** Blocks over all GPUs, of KV_BLOCK_TOKENS each. */
  readonly kvBlocks: number;
  /** The asked one, or less where the KV memory cannot hold one such context. */
  readonly contextLength: number;
}

export interface MemoryNeed {
  readonly weightsBytes: number;
  readonly gpuCount: number;
  readonly memoryBytesPerGpu: number;
  readonly contextLength: number;
}

export interface WeightsDoNotFit {
  readonly code: "WEIGHTS_DO_NOT_FIT";
  readonly neededBytesPerGpu: number;
  readonly memoryBytesPerGpu: number;
}

/** @errors WEIGHTS_DO_NOT_FIT when nothing is left for one block of KV memory. */
export function planMemory(need: MemoryNeed): Result<MemoryPlan, WeightsDoNotFit> {
  const parkedBytesPerGpu = Math.ceil(Math.min(OVERHEAD_BYTES_MAX, need.memoryBytesPerGpu * OVERHEAD_RATIO_MAX));
  const weightsBytesPerGpu = Math.ceil(need.weightsBytes / need.gpuCount);
  const kvBytesPerToken = Math.max(1, Math.round((need.weightsBytes / KV_REFERENCE_WEIGHTS_BYTES) * KV_BYTES_PER_TOKEN));
  const kvBytes = (need.memoryBytesPerGpu - weightsBytesPerGpu - parkedBytesPerGpu) * need.gpuCount;
  const kvBlocks = Math.floor(kvBytes / (kvBytesPerToken * KV_BLOCK_TOKENS));
  if (kvBlocks < 1) {
    const neededBytesPerGpu = weightsBytesPerGpu + parkedBytesPerGpu + Math.ceil((kvBytesPerToken * KV_BLOCK_TOKENS) / need.gpuCount);
    return err({ code: "WEIGHTS_DO_NOT_FIT", neededBytesPerGpu, memoryBytesPerGpu: need.memoryBytesPerGpu });
  }
  return ok({
    heldBytesPerGpu: need.memoryBytesPerGpu,
    weightsBytesPerGpu,
    parkedBytesPerGpu,
    kvBlocks,
    contextLength: Math.min(need.contextLength, kvBlocks * KV_BLOCK_TOKENS),
  });
}
