import type { GpuPartition } from "../../api/gpu-partition.ts";
import { migGpuOf, migGrantOf } from "../../api/mig-geometry.ts";
import { explainIllegalLayout, formatPlacement, layoutOf } from "../../api/mig-layout.ts";
import { isSameJson } from "../../base/same-json.ts";
import type { GpuDriverError, ObservedGpu } from "../../ports/gpu-driver.ts";

/** One GPU, before it is cut once more. */
export interface CutGpu {
  readonly model: string;
  /** Every partition that stands on it now. */
  readonly partitions: readonly GpuPartition[];
  readonly holders: ObservedGpu["holders"];
}

/**
 * Why a GPU cannot get this partition, as hardware would say it; null = nothing. MIG instances start where they may and overlap nowhere, MIG
 * is begun on an idle card and is never mixed with another mode, and an instance in use keeps its place.
 */
export function cutObstacle(wanted: GpuPartition, { model, partitions, holders }: CutGpu): GpuDriverError | null {
  const before = partitions.find(({ name }) => name === wanted.name) ?? null;
  if (before?.mig != null && !isSameJson(before.mig, wanted.mig)) {
    const inUse = destroyObstacle(before, holders);
    if (inUse !== null) return inUse;
  }
  const others = partitions.filter(({ name }) => name !== wanted.name);
  if (wanted.mig === null) {
    const cut = others.find(({ mig }) => mig !== null);
    return cut === undefined ? null : refused(`${cut.instance} has a MIG instance of the GPU, so it cannot be shared by ${wanted.mode}`);
  }
  const whole = others.find(({ mig }) => mig === null);
  if (whole !== undefined) return refused(`${whole.instance} holds the GPU by ${whole.mode}, so it cannot be cut by MIG`);
  const stranger = holders.find(
    ({ instance }) => !partitions.some((partition) => partition.mig !== null && partition.instance === instance),
  );
  if (stranger !== undefined) return { code: "IN_USE", reason: `process ${stranger.pid} of ${stranger.instance} runs on the whole GPU` };
  const card = migGpuOf(model);
  if (card === null) return refused(`no MIG geometry is known of ${model}`);
  const grant = migGrantOf(card, wanted.mig.profile);
  if (!grant.ok) return refused(`${formatPlacement(wanted.mig)} of ${model} is not known`);
  if (wanted.memoryBytes > grant.value.memoryBytes)
    return refused(`${grant.value.name} has ${grant.value.memoryBytes} bytes, and ${wanted.memoryBytes} are asked for`);
  const layout = layoutOf([...others.flatMap(({ mig }) => mig ?? []), wanted.mig]);
  if (layout.ok) return null;
  const { what, why } = explainIllegalLayout(layout.error);
  return refused(`${what} ${why}`);
}

/** A MIG instance goes only while nobody runs in it. */
export function destroyObstacle(partition: GpuPartition, holders: ObservedGpu["holders"]): GpuDriverError | null {
  const holder = partition.mig === null ? undefined : holders.find(({ instance }) => instance === partition.instance);
  return holder === undefined ? null : { code: "IN_USE", reason: `process ${holder.pid} runs in the MIG instance of ${holder.instance}` };
}

const refused = (reason: string): GpuDriverError => ({ code: "GEOMETRY", reason });
