import type { GpuPartition } from "../../api/gpu-partition.ts";
import { gpuKey, type GpuPlace } from "./gpu-losses.ts";

/** Partitions by name, found by instance and GPU as well. */
export interface PartitionShelf {
  get(name: string): GpuPartition | undefined;
  values(): Iterable<GpuPartition>;
  set(partition: GpuPartition): void;
  /** @returns false when there was none. */
  delete(name: string): boolean;
  /** Every one on that GPU. */
  on(place: GpuPlace): Iterable<GpuPartition>;
  /** The instance's own there. */
  at(instance: string, place: GpuPlace): GpuPartition | null;
}

/** @param changed called when one came to or went from that GPU. */
export function createPartitionShelf(changed: (at: GpuPlace) => void): PartitionShelf {
  const byName = new Map<string, GpuPartition>();
  const byGpu = new Map<string, Set<GpuPartition>>();
  const byPlace = new Map<string, GpuPartition>();
  const placeOf = (instance: string, { node, gpu }: GpuPlace): string => `${instance} ${gpuKey(node, gpu)}`;

  function remove(name: string): boolean {
    const partition = byName.get(name);
    if (partition === undefined) return false;
    byName.delete(name);
    byGpu.get(gpuKey(partition.node, partition.gpu))?.delete(partition);
    const place = placeOf(partition.instance, partition);
    if (byPlace.get(place) === partition) byPlace.delete(place);
    changed(partition);
    return true;
  }
  return {
    get: (name) => byName.get(name),
    values: () => byName.values(),
    set(partition) {
      remove(partition.name);
      byName.set(partition.name, partition);
      const key = gpuKey(partition.node, partition.gpu);
      const there = byGpu.get(key) ?? new Set();
      byGpu.set(key, there.add(partition));
      byPlace.set(placeOf(partition.instance, partition), partition);
      changed(partition);
    },
    delete: remove,
    on: ({ node, gpu }) => byGpu.get(gpuKey(node, gpu)) ?? [],
    at: (instance, place) => byPlace.get(placeOf(instance, place)) ?? null,
  };
}
