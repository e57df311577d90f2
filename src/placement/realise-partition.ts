import { MiB } from "../base/bytes.ts";
import type { JsonObject } from "../base/json.ts";
import { MIG_SHAPES, migGpuOf, migResourceName } from "../api/mig-geometry.ts";
import type { MigPlacement } from "../api/mig-layout.ts";
import type { GpuPartition } from "../api/gpu-partition.ts";
import { PARTITION_MODES, type Enforcer } from "./partition-modes.ts";

type Share = Pick<GpuPartition, "gpu" | "mode" | "mig" | "memoryBytes" | "computePercent">;

/** How a real GPU is told to keep a share, and who keeps it then. A simulated one needs no telling. */
export interface RealisedPartition {
  /** Of the engine's process, were this its only GPU. */
  readonly environment: Readonly<Record<string, string>>;
  /** Absent in every mode but MIG. */
  readonly migDevice?: MigDevice;
  readonly memoryKeptBy: Enforcer;
  readonly computeKeptBy: Enforcer;
  readonly limits: string;
  /** What must be there beside the environment; null = nothing. */
  readonly needs: string | null;
}

/** The GPU instance that must be made before a process can have it. */
interface MigDevice {
  /** As the device plugin offers it; null = the card's geometry is not known by its model. */
  readonly resource: string | null;
  /** As the DRA driver names it, for the GPU with this index; null also of the profile with media engines, whose name there we have not read. */
  readonly draDevice: string | null;
  readonly giProfileId: number;
  readonly placement: { readonly start: number; readonly size: number };
}

const NEEDS: Readonly<Record<GpuPartition["mode"], string | null>> = {
  exclusive: null,
  mig: "the MIG instance; its uuid, which the driver gives it, goes into CUDA_VISIBLE_DEVICES, and until then no GPU is visible rather than a neighbour's",
  vgpu: "HAMi-core, loaded into the process by LD_PRELOAD",
  mps: "an MPS daemon that sees all GPUs of the node by their indexes, with its CUDA_MPS_PIPE_DIRECTORY",
  "time-slicing": null,
};

/** @param model of its GPU; null = unknown. */
export function realisePartition(share: Share, model: string | null): RealisedPartition {
  const { memory, compute, limits } = PARTITION_MODES[share.mode];
  return {
    environment: engineEnvironment([share]),
    ...(share.mig === null ? {} : { migDevice: migDevice(share.gpu, share.mig, model) }),
    memoryKeptBy: memory,
    computeKeptBy: compute,
    limits,
    needs: NEEDS[share.mode],
  };
}

export const realisedJson = ({ environment, migDevice: device, ...rest }: RealisedPartition): JsonObject => ({
  environment: { ...environment },
  ...(device === undefined ? {} : { migDevice: { ...device, placement: { ...device.placement } } }),
  ...rest,
});

/**
 * What the process of an engine with these shares, one for each of its GPUs, gets in its environment. Names and formats as read in HAMi
 * 4707fb0, HAMi-core 8f3a89c, the device plugin 1b826ac and NVIDIA's manuals of CUDA and MPS; nothing of it was tried on a GPU.
 */
export function engineEnvironment(shares: readonly Share[]): Readonly<Record<string, string>> {
  const ordered = shares.toSorted((left, right) => left.gpu - right.gpu);
  // Indexes are nvidia-smi's; by default CUDA counts the fastest first.
  const order = { CUDA_DEVICE_ORDER: "PCI_BUS_ID" };
  // The index of a GPU under MIG would be its first MIG instance, whosever that is.
  if (ordered.some(({ mode }) => mode === "mig")) return { ...order, CUDA_VISIBLE_DEVICES: "" };
  // A process counts the GPUs that it sees from 0.
  const seen = ordered.map((share, ordinal) => ({ ...share, ordinal }));
  return {
    ...order,
    CUDA_VISIBLE_DEVICES: seen.map(({ gpu }) => gpu).join(","),
    ...mpsLimits(seen.filter(({ mode }) => mode === "mps")),
    ...vgpuLimits(seen.filter(({ mode }) => mode === "vgpu")),
  };
}

type SeenShare = Share & { readonly ordinal: number };

/** M is 2^20 bytes there. */
function mpsLimits(shares: readonly SeenShare[]): Readonly<Record<string, string>> {
  if (shares.length === 0) return {};
  return {
    CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: `${leastCompute(shares)}`,
    CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: shares.map((share) => `${share.ordinal}=${wholeMiB(share)}M`).join(","),
  };
}

/** One value of compute for all GPUs of the process, and only HAMi-core's default policy leaves the whole card to who is alone. */
function vgpuLimits(shares: readonly SeenShare[]): Readonly<Record<string, string>> {
  if (shares.length === 0) return {};
  const memory = shares.map((share) => [`CUDA_DEVICE_MEMORY_LIMIT_${share.ordinal}`, `${wholeMiB(share)}m`] as const);
  return { ...Object.fromEntries(memory), CUDA_DEVICE_SM_LIMIT: `${leastCompute(shares)}`, GPU_CORE_UTILIZATION_POLICY: "default" };
}

const leastCompute = (shares: readonly Share[]): number => Math.min(...shares.map(({ computePercent }) => computePercent));

/** Never more than the share, and never 0, which means no limit at all. */
const wholeMiB = ({ memoryBytes }: Share): number => Math.max(1, Math.floor(memoryBytes / MiB));

function migDevice(gpu: number, { profile, start }: MigPlacement, model: string | null): MigDevice {
  const { giProfileId, memorySlices } = MIG_SHAPES[profile];
  const card = model === null ? null : migGpuOf(model);
  const isNamed = card !== null && profile !== "1g+me";
  return {
    resource: card === null ? null : migResourceName(card, profile),
    draDevice: isNamed ? `gpu-${gpu}-mig-${card.figures[profile].name.replace(".", "")}-${giProfileId}-${start}` : null,
    giProfileId,
    placement: { start, size: memorySlices },
  };
}
