import { isGpuLostMode, type GpuFaultMode } from "./fault.ts";
import type { PartitionMode } from "./gpu-partition.ts";

/** Who holds bytes of a GPU, and how it is cut for it. */
export interface GpuClient {
  readonly instance: string;
  /** null = started by hand, without a partition: it takes turns with whoever is there. */
  readonly mode: PartitionMode | null;
}

/** Faults end their own holder alone where hardware keeps holders apart. vGPU is a hook in the process: its holders take turns on one card. */
const IS_APART: Readonly<Record<PartitionMode, boolean>> = { exclusive: true, mig: true, vgpu: false, mps: false, "time-slicing": false };

/**
 * Which engines on a GPU a fault ends. A GPU that is gone is gone for all, MIG instances too; the fault of one application ends that one where
 * the GPU is its own or cut by hardware, and all who share its context elsewhere.
 * @param victim whose work it was; a mode that takes the whole GPU needs none.
 */
export function enginesHit(mode: GpuFaultMode, clients: readonly GpuClient[], victim: string | null): readonly string[] {
  if (isGpuLostMode(mode)) return clients.map(({ instance }) => instance);
  const hit = clients.find(({ instance }) => instance === victim);
  if (hit === undefined) return [];
  if (isApart(hit)) return [hit.instance];
  return clients.filter((client) => !isApart(client)).map(({ instance }) => instance);
}

const isApart = ({ mode }: GpuClient): boolean => mode !== null && IS_APART[mode];
