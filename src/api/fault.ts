import type { NodeName } from "../base/ids.ts";

/** A GPU or a whole node goes away under its engines. The mode is named as nvml-mock names it: Xid 79, no answer on the bus any more. */
export interface GpuLost {
  readonly kind: "gpu-lost";
  readonly mode: "fallen_off_bus";
  readonly node: NodeName;
  /** null = every GPU of the node: the node is lost. */
  readonly gpu: number | null;
}

/** No GPU has more; what does not fit is refused anyway. */
export const GRABBED_BYTES_MAX = 1e13;

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
