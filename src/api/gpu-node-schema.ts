import { z } from "zod";
import { TOOLKIT_PATTERN } from "./container-toolkit.ts";
import { PARTITION_MODE_NAMES } from "./gpu-partition.ts";
import { count, quantity, text } from "./schema-parts.ts";

/** The shape of a GPUNode's `spec`; unknown fields are refused. */
export const gpuNodeSpec = z.strictObject({
  capacityType: z.enum(["on-demand", "spot"]).optional(),
  hostMemory: quantity().optional(),
  links: z.strictObject({ hostToGpu: quantity().optional(), disk: quantity().optional(), network: quantity().optional() }).optional(),
  containerToolkit: z.string().regex(TOOLKIT_PATTERN).optional(),
  gpus: z
    .array(
      z.strictObject({
        model: text(),
        count: count(1, 64).optional(),
        modes: z.array(z.enum(PARTITION_MODE_NAMES)).min(1).max(64).optional(),
      }),
    )
    .min(1)
    .max(64),
});
