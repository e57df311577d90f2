import type { NodeName } from "../base/ids.ts";

/** A GPU or a whole node can no longer be used by anybody. Modes are named as nvml-mock names them. */
export interface GpuLost {
  readonly kind: "gpu-lost";
  readonly mode: GpuLostMode;
  readonly node: NodeName;
  /** null = every GPU of the node: the node is lost. */
  readonly gpu: number | null;
}

/** No GPU has more; what does not fit is refused anyway. */
export const GRABBED_BYTES_MAX = 1e13;
/** One application does wrong on a GPU, or its memory does: the GPU goes on, and those end that share a context with it. */
export interface GpuApplicationFault {
  readonly kind: "gpu-fault";
  readonly mode: GpuApplicationMode;
  readonly node: NodeName;
  readonly gpu: number;
  /** Whose work it was. */
  readonly instance: string;
}

/** Processes that end on this GPU keep their bytes for so long: the driver is slow to tear them down. */
export interface SlowTeardown {
  readonly kind: "slow-teardown";
  readonly node: NodeName;
  /** null = every GPU of the node. */
  readonly gpu: number | null;
  readonly teardownMs: number;
}

/** Xids as NVIDIA numbers them in its driver's messages; null = it has none of its own. */
export const GPU_LOST_MODES = {
  fallen_off_bus: { xid: 79, health: "lost", what: "has fallen off the bus" },
  lost: { xid: null, health: "lost", what: "is lost: its driver does not reach it" },
  /** Nobody knows whose bytes are wrong: the GPU works for nobody until it was reset. */
  ecc_uncorrectable: { xid: 95, health: "needs-reset", what: "has an uncontained memory error, and needs a reset" },
} as const;
export type GpuLostMode = keyof typeof GPU_LOST_MODES;

export const GPU_APPLICATION_MODES = {
  graphics_exception: { xid: 13, what: "a graphics engine exception" },
  mmu_fault: { xid: 31, what: "an access to memory that is not mapped" },
  ecc_uncorrectable_contained: { xid: 94, what: "a contained memory error" },
} as const;
export type GpuApplicationMode = keyof typeof GPU_APPLICATION_MODES;

export type GpuFaultMode = GpuLostMode | GpuApplicationMode;

export const isGpuLostMode = (mode: unknown): mode is GpuLostMode => typeof mode === "string" && Object.hasOwn(GPU_LOST_MODES, mode);
export const isGpuApplicationMode = (mode: unknown): mode is GpuApplicationMode =>
  typeof mode === "string" && Object.hasOwn(GPU_APPLICATION_MODES, mode);

/** For an engine's last words, as in `GPU gpu-a/0: Xid 31, an access to memory that is not mapped`. */
export function explainGpuFault({
  node,
  gpu,
  mode,
}: {
  readonly node: NodeName;
  readonly gpu: number;
  readonly mode: GpuFaultMode;
}): string {
  const { xid, what } = isGpuLostMode(mode) ? GPU_LOST_MODES[mode] : GPU_APPLICATION_MODES[mode];
  const subject = isGpuLostMode(mode) ? `GPU ${node}/${gpu} ${what}` : `GPU ${node}/${gpu}: ${what}`;
  return xid === null ? subject : `${subject} (Xid ${xid})`;
}

/** One vocabulary of faults for engines, drills, the simulator and the benches. */
export type Fault =
  /** The process ends at once, as by SIGKILL. */
  | { readonly kind: "crash" }
  /** No engine step any more; `/health` and `/metrics` still answer 200. */
  | { readonly kind: "hang" }
  /** Streams stop after so many more tokens; the sockets stay open, the engine goes on stepping. */
  | { readonly kind: "stall"; readonly afterTokens: number }
  /** Every step takes `factor` times as long. */
  | { readonly kind: "slow"; readonly factor: number }
  /** This share of new requests is answered 500. */
  | { readonly kind: "error-ratio"; readonly ratio: number }
  /** Streams end by a clean FIN without `[DONE]` after so many more tokens. */
  | { readonly kind: "truncate"; readonly afterTokens: number }
  /** The connection is reset after so many more tokens. */
  | { readonly kind: "reset"; readonly afterTokens: number }
  /** The next wakes answer 200, and the engine generates garbage from then on. */
  | { readonly kind: "garbage-after-wake" }
  /** The next wakes answer 500 and the engine stays asleep. */
  | { readonly kind: "failed-wake" }
  /** The next wakes take `factor` times as long. */
  | { readonly kind: "slow-wake"; readonly factor: number }
  /** Steps at full speed beside neighbours, whatever its share is. A slice of hardware (MIG) does not let it. */
  | { readonly kind: "ignores-share" }
  /** Holds so many bytes more on each of its GPUs than it was granted. Only where no hardware and no service keeps it from that: vGPU, time-slicing. */
  | { readonly kind: "grabs-memory"; readonly bytes: number };

export type FaultKind = Fault["kind"];
export const FAULT_KINDS: readonly FaultKind[] = [
  "crash",
  "hang",
  "stall",
  "slow",
  "error-ratio",
  "truncate",
  "reset",
  "garbage-after-wake",
  "failed-wake",
  "slow-wake",
  "ignores-share",
  "grabs-memory",
];
