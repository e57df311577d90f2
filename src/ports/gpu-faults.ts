import type { GpuApplicationFault, GpuLost, SlowTeardown } from "../api/fault.ts";
import type { Result } from "../base/result.ts";

export interface NotInjected {
  readonly code: "NOT_INJECTED";
  readonly reason: string;
}

/** Losses and faults of simulated GPUs, for drills and benches. Each ends by itself, also when nobody is left to end it. */
export interface GpuFaults {
  /** Engines on it end at once. A second loss replaces the first one's end. */
  lose(loss: GpuLost, forMs: number): Promise<Result<null, NotInjected>>;
  /** Ends those whom it hits; nobody where the victim holds nothing there. */
  fail(fault: GpuApplicationFault): Promise<Result<null, NotInjected>>;
  /** Whoever dies there within `forMs` keeps its bytes for so long. */
  slow(fault: SlowTeardown, forMs: number): Promise<Result<null, NotInjected>>;
  /** As a reset: the GPU is back and empty, and its teardown quick. Idempotent. */
  restore(at: Pick<GpuLost, "node" | "gpu">): Promise<Result<null, NotInjected>>;
}
