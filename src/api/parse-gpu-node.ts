import { GB } from "../base/bytes.ts";
import { nodeName } from "../base/ids.ts";
import { err, ok, type Result } from "../base/result.ts";
import { isToolkitUnsafe } from "./container-toolkit.ts";
import { formatPath, problemOf, type ProblemFinding } from "./finding.ts";
import { GPU_MODELS, gpuMemoryBytes } from "./gpu-models.ts";
import { ZONE_LABEL, type Gpu, type GpuNode } from "./gpu-node.ts";
import { gpuNodeSpec } from "./gpu-node-schema.ts";
import { PARTITION_MODE_NAMES, type PartitionMode } from "./gpu-partition.ts";
import { MIG_GPUS, migGpuOf } from "./mig-geometry.ts";
import { nameFindings } from "./name-findings.ts";
import { nearestName } from "./nearest-name.ts";
import type { Problem } from "./problem.ts";
import type { ResourceDraft } from "./resource.ts";
import { shapeFindings, shown } from "./shape-findings.ts";

type ParsedFrom = Pick<ResourceDraft, "name" | "labels" | "spec">;

// A present-day server with PCIe 5 and local NVMe: facts of the machine, so each may be written.
const HOST_MEMORY_BYTES = 512 * GB;
const LINKS = { hostToGpu: 54 * GB, disk: 12 * GB, network: 11 * GB };

/** One machine of the inventory; GPUs are numbered through all of `gpus`, in its order. */
export function parseGpuNode(resource: ParsedFrom): Result<GpuNode, readonly Problem[]> {
  const read = readGpuNode(resource);
  return read.ok ? read : err(read.error.map((finding) => problemOf(finding)));
}

/** As `parseGpuNode`, for callers that know where the text stands. */
export function readGpuNode(resource: ParsedFrom): Result<GpuNode, readonly ProblemFinding[]> {
  const parsed = gpuNodeSpec.safeParse(resource.spec);
  const found = [...nameFindings(resource.name)];
  if (!parsed.success) return err([...found, ...shapeFindings("GPUNode", resource.spec, parsed.error.issues)]);
  const { capacityType, hostMemory, links, containerToolkit, gpus: groups } = parsed.data;
  const gpus: Gpu[] = [];
  groups.forEach((group, index) => {
    const memoryBytes = gpuMemoryBytes(group.model);
    if (memoryBytes === null) found.push(unknownModel(group.model, index));
    else if (group.modes?.includes("mig") === true && migGpuOf(group.model) === null) found.push(noGeometry(group.model, index));
    else
      for (let copy = 0; copy < (group.count ?? 1); copy += 1)
        gpus.push({ index: gpus.length, model: group.model, memoryBytes, modes: group.modes ?? modesOf(group.model) });
  });
  for (const key of ["hostToGpu", "disk", "network"] as const) if (links?.[key] === 0) found.push(emptyLink(key));
  if (found.length > 0) return err(found);
  return ok({
    name: nodeName(resource.name),
    labels: resource.labels,
    zone: resource.labels[ZONE_LABEL] ?? null,
    capacityType: capacityType ?? "on-demand",
    hostMemoryBytes: hostMemory ?? HOST_MEMORY_BYTES,
    links: { hostToGpu: links?.hostToGpu ?? LINKS.hostToGpu, disk: links?.disk ?? LINKS.disk, network: links?.network ?? LINKS.network },
    unsafeToolkit: containerToolkit !== undefined && isToolkitUnsafe(containerToolkit) ? containerToolkit : null,
    gpus,
  });
}

/** All that the card can do; MIG only where its geometry is known. */
const modesOf = (model: string): readonly PartitionMode[] =>
  migGpuOf(model) === null ? PARTITION_MODE_NAMES.filter((mode) => mode !== "mig") : PARTITION_MODE_NAMES;

function noGeometry(model: string, index: number): ProblemFinding {
  const at = ["spec", "gpus", index, "modes"];
  return {
    code: "WRONG_VALUE",
    at,
    mark: "value",
    what: `${formatPath(at)} has mig, and no MIG geometry is known of ${model}.`,
    why: "Where a MIG instance may start, and how large it is, must be known before it is promised.",
    next: `Leave mig out; known are ${MIG_GPUS.flatMap(({ models }) => models).join(", ")}.`,
  };
}

function unknownModel(model: string, index: number): ProblemFinding {
  const at = ["spec", "gpus", index, "model"];
  return {
    code: "WRONG_VALUE",
    at,
    mark: "value",
    what: `${formatPath(at)} is ${shown(model)}, which does not end in its memory.`,
    why: "The memory of each GPU is read from the end of its model's name, such as -80GB.",
    next: `Did you mean ${nearestName(model, GPU_MODELS) ?? GPU_MODELS.find((known) => known.startsWith(`${model}-`)) ?? "H100-80GB"}?`,
  };
}

function emptyLink(key: string): ProblemFinding {
  return {
    code: "OUT_OF_RANGE",
    at: ["spec", "links", key],
    mark: "value",
    what: `spec.links.${key} is 0 bytes a second.`,
    why: "Weights would never arrive over it.",
    next: "Write its real rate, such as 12GB, or remove it.",
  };
}
