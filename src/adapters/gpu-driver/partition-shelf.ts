import type { GpuPartition } from "../../api/gpu-partition.ts";
import { gpuKey, type GpuPlace } from "./gpu-losses.ts";

/** Partitions by name, found by instance and GPU as well. */
export interface PartitionShelf {
  get(name: string): GpuPartition | undefined;
  values(): Iterable<GpuPartition>;
  set(partition: GpuPartition): void;
  /** @returns false when there was none. */
  delete(name: string): boolean;
  /** The instance's own there. */
  at(instance: string, place: GpuPlace): GpuPartition | null;
}

/** @param changed called when one came to or went from that GPU. */
export function createPartitionShelf(changed: (at: GpuPlace) => void): PartitionShelf {
  const byName = new Map<string, GpuPartition>();
  const byPlace = new Map<string, GpuPartition>();
  const placeOf = (instance: string, { node, gpu }: GpuPlace): string => `${instance} ${gpuKey(node, gpu)}`;

  function remove(name: string): boolean {
    const partition = byName.get(name);
    if (partition === undefined) return false;
    byName.delete(name);
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
      byPlace.set(placeOf(partition.instance, partition), partition);
      changed(partition);
    },
    delete: remove,
    at: (instance, place) => byPlace.get(placeOf(instance, place)) ?? null,
  };
}
