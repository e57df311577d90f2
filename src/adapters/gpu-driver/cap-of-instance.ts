import type { GpuPartition } from "../../api/gpu-partition.ts";

/**
 * On a shared GPU an instance gets what was promised to it and no more; an exclusive GPU is its owner's alone.
 * @param partitions every one on that GPU.
 * @param isGrab past the limit that is kept inside the process, or by nobody; physical memory is the limit then.
 * @param isPromised started by a platform, for partitions of its own: where it has none it gets nothing.
 */
export function capOfInstance(
  partitions: Iterable<GpuPartition>,
  instance: string,
  { isPromised, isGrab = false }: { readonly isPromised: boolean; readonly isGrab?: boolean },
): number {
  const here = [...partitions];
  const own = here.filter((partition) => partition.instance === instance);
  if (isGrab && own.some(isGrabbable)) return Number.POSITIVE_INFINITY;
  if (own.some(({ mode }) => mode === "exclusive")) return Number.POSITIVE_INFINITY;
  if (here.some(({ mode }) => mode === "exclusive")) return 0;
  // A card that MIG cuts has no room outside its MIG instances.
  if (own.length === 0) return isPromised || here.some(({ mig }) => mig !== null) ? 0 : Number.POSITIVE_INFINITY;
  return own.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
}

/** Its limit of memory is kept inside the process, or by nobody. */
const isGrabbable = ({ mode }: GpuPartition): boolean => mode === "vgpu" || mode === "time-slicing";
