import { z } from "zod";
import { COUNT_MAX, count, duration, GPU_COUNT_MAX, label, listOf, modelName, quantity, text, textMap } from "./schema-parts.ts";

const level = {
  memoryReserved: quantity().optional(),
  nodeSelector: textMap().optional(),
  gpuMemoryShare: z.boolean().optional(),
  capacityType: z.enum(["on-demand", "spot"]).optional(),
};

export const hotStandby = z.strictObject({
  gpuCount: count(1, GPU_COUNT_MAX).optional(),
  minGpuCount: count(1, GPU_COUNT_MAX).optional(),
  maxGpuCount: count(1, GPU_COUNT_MAX).optional(),
  ...level,
});
export const warmStandby = z.strictObject({
  gpuCount: count(0, GPU_COUNT_MAX).optional(),
  ...level,
  rest: z.enum(["resident", "asleep"]).optional(),
  lend: z.enum(["never", "whenIdle"]).optional(),
});
export const coldStandby = z.strictObject({
  gpuCount: count(0, GPU_COUNT_MAX).optional(),
  ...level,
  imageCache: z.boolean().optional(),
});

const model = z.strictObject({
  name: modelName(),
  engine: z.enum(["simulated", "vllm", "sglang", "llama.cpp"]).optional(),
  revision: text().optional(),
  weights: quantity().optional(),
  contextLength: count(1, 100_000_000).optional(),
  tensorParallelSize: count(1, 64).optional(),
  image: text().optional(),
  command: listOf(text()).optional(),
  args: listOf(text()).optional(),
  adapters: listOf(modelName()).optional(),
});

const failback = z.strictObject({
  preferred: z.enum(["hot", "none"]).optional(),
  soak: duration().optional(),
  steps: z.array(count(1, 100)).min(1).max(20).optional(),
});
const failoverPolicy = z.strictObject({
  autoFailover: z.boolean().optional(),
  maxFailoverCount: count(0, COUNT_MAX).optional(),
  window: duration().optional(),
  rtoTarget: duration().optional(),
  failback: failback.optional(),
});

const degradedStep = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("queue"), upTo: duration() }),
  z.strictObject({ kind: z.literal("model"), name: modelName() }),
  z.strictObject({ kind: z.literal("shed") }),
]);

/** The shape of `spec` as people write it; unknown fields are refused. Defaults and cross-checks follow in the parser. */
export const hotStandbyConfigSpec = z.strictObject({
  tenant: label(),
  priority: z.union([z.enum(["low", "normal", "high"]), count(-COUNT_MAX, COUNT_MAX)]).optional(),
  tier: z.enum(["platinum", "gold", "silver"]).optional(),
  model: model.optional(),
  qosClass: z.enum(["gold", "silver", "bronze"]).optional(),
  isolation: z.enum(["none", "weak", "medium", "strong"]).optional(),
  hotStandby: hotStandby.optional(),
  warmStandby: warmStandby.optional(),
  coldStandby: coldStandby.optional(),
  traffic: z
    .strictObject({
      weights: z.array(count(0, 1_000_000)).min(1).max(GPU_COUNT_MAX).optional(),
      mirrorPercent: count(0, 100).optional(),
      affinity: z.literal("none").optional(),
    })
    .optional(),
  overflow: z.strictObject({ inFlightRatio: z.number().gt(0).max(10).optional(), queuedForMs: count(0, 600_000).optional() }).optional(),
  failoverPolicy: failoverPolicy.optional(),
  degraded: z.array(degradedStep).max(10).optional(),
  limits: z
    .strictObject({
      requestsPerMinute: count(1, COUNT_MAX).optional(),
      tokensPerMinute: count(1, COUNT_MAX * 1_000).optional(),
      concurrency: count(1, COUNT_MAX).optional(),
      maxTokens: count(1, COUNT_MAX).optional(),
    })
    .optional(),
});
export type HotStandbyConfigSpec = z.output<typeof hotStandbyConfigSpec>;
