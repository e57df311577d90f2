import { z } from "zod";
import { instanceName, nodeName, partitionName, serviceName, tenantId } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { dataProblems } from "./data-problems.ts";
import { PARTITION_MODE_NAMES, type GpuPartition, type UnplacedPartition } from "./gpu-partition.ts";
import { MIG_MEMORY_SLICES, MIG_PROFILES } from "./mig-geometry.ts";
import { placementIndex } from "./mig-layout.ts";
import { formatQuantity } from "./parse-quantity.ts";
import type { Problem } from "./problem.ts";
import type { Resource } from "./resource.ts";
import { count, label, quantity, text } from "./schema-parts.ts";

const shape = z.strictObject({
  tenant: label(),
  service: label(),
  // Longer than a label: the service's name with its level and number.
  instance: text(),
  mode: z.enum(PARTITION_MODE_NAMES),
  mig: z.strictObject({ profile: z.enum(MIG_PROFILES), start: count(0, MIG_MEMORY_SLICES - 1) }).optional(),
  node: label().optional(),
  gpu: count(0, 4_096).optional(),
  leaving: text().optional(),
  memory: quantity(),
  computePercent: count(1, 100),
});
const spec = shape.superRefine(({ mode, node, mig }, context) => {
  if ((mode === "mig" && node !== undefined) !== (mig !== undefined)) {
    context.addIssue({ code: "custom", path: ["mig"], message: "a MIG partition that has its GPU, and no other, says where on it" });
  } else if (mig !== undefined && placementIndex(mig) < 0) {
    context.addIssue({ code: "custom", path: ["mig", "start"], message: `${mig.profile} cannot start at ${mig.start}` });
  }
});
const status = z.object({
  /** The spec's generation that the phase speaks of. */
  observedGeneration: z.int().optional(),
  phase: z.enum(["Pending", "Bound", "Releasing"]),
  refusal: z.object({ code: z.string(), what: z.string(), why: z.string(), next: z.string() }).optional(),
});

const NOT_PLACED_YET = {
  code: "NOT_PLACED_YET",
  what: "The partition has no GPU yet.",
  why: "It was asked for a moment ago.",
  next: "Wait for the partition-controller's next look.",
};

/** `node === null` tells an unplaced one. A partition without a status is Pending. */
export function parseGpuPartition(
  resource: Pick<Resource, "name" | "generation" | "spec" | "status">,
): Result<GpuPartition | UnplacedPartition, readonly Problem[]> {
  const parsed = spec.safeParse(resource.spec);
  if (!parsed.success) return err(dataProblems(`GPUPartition ${resource.name}`, parsed.error.issues));
  const parsedStatus = status.safeParse(resource.status ?? { phase: "Pending" });
  if (!parsedStatus.success) return err(dataProblems(`Status of GPUPartition ${resource.name}`, parsedStatus.error.issues));
  const { tenant, service, instance, mode, node, gpu, mig = null, leaving = null, memory, computePercent } = parsed.data;
  const claim = {
    name: partitionName(resource.name),
    tenant: tenantId(tenant),
    service: serviceName(service),
    instance: instanceName(instance),
    mode,
    memoryBytes: memory,
    computePercent,
  };
  if (node === undefined || gpu === undefined) {
    return ok({
      ...claim,
      node: null,
      gpu: null,
      mig: null,
      leaving: null,
      phase: "Pending",
      refusal: parsedStatus.data.refusal ?? NOT_PLACED_YET,
    });
  }
  const { phase, observedGeneration = resource.generation } = parsedStatus.data;
  // Bound elsewhere, or with other bytes, is not bound here.
  return ok({ ...claim, node: nodeName(node), gpu, mig, leaving, phase: observedGeneration === resource.generation ? phase : "Pending" });
}

/** The `spec` that `parseGpuPartition` reads back to the same partition. */
export function gpuPartitionSpec(partition: GpuPartition | UnplacedPartition): JsonObject {
  const { tenant, service, instance, mode, node, gpu, mig, leaving, memoryBytes, computePercent } = partition;
  const place = node === null ? {} : { node, gpu, ...(mig === null ? {} : { mig: { profile: mig.profile, start: mig.start } }) };
  return {
    tenant,
    service,
    instance,
    mode,
    ...place,
    ...(leaving === null ? {} : { leaving }),
    memory: formatQuantity(memoryBytes),
    computePercent,
  };
}
