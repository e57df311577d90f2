import type { Epoch, ServiceName } from "../base/ids.ts";
import type { Level } from "./hot-standby-config.ts";

export type RecordAction = "failover" | "failback" | "resume";
/** Where a service may be on its ladder. */
export type LadderPlace = Level | "degraded";

export const RECORD_PHASES = ["Requested", "Running", "Completed", "Failed", "Refused", "Advised"] as const;
/**
 * Requested: an operator asks. Running: the move is made, its clock runs. Completed: redundancy is restored, or the service went on to
 * another rung. Failed: the rung never served. Refused: it may not be (`reason`). Advised: autoFailover is false, this would have been done.
 */
export type RecordPhase = (typeof RECORD_PHASES)[number];

/** The RTO clock; times are wall times made from one gateway's steady clock. null = has not happened. */
export interface RtoClock {
  readonly fault: string | null;
  readonly detected: string | null;
  readonly decided: string | null;
  readonly targetReady: string | null;
  readonly routed: string | null;
  readonly firstGoodToken: string | null;
  readonly redundant: string | null;
}

/**
 * One move of one service on its ladder. Automatic ones are named `<service>-<epoch>`, so that a second writer meets the first one's;
 * an operator's command is a record too, in phase Requested, under a name of its own.
 */
export interface FailoverRecord {
  readonly name: string;
  readonly service: ServiceName;
  readonly action: RecordAction;
  readonly from: LadderPlace;
  /** null = the operator leaves the rung to the ladder. */
  readonly to: LadderPlace | null;
  /** `refused`, `silent`, `engine-crash`, `wake-failed`, `operator` ...: short, stable. */
  readonly cause: string;
  readonly requestedBy: "automatic" | "operator";
  readonly status: FailoverRecordStatus | null;
}

export interface FailoverRecordStatus {
  readonly phase: RecordPhase;
  /** The epoch that the move began; null before it is made. */
  readonly epoch: Epoch | null;
  readonly clock: RtoClock;
  /** Largest wait of an affected request. */
  readonly rtoMs: number | null;
  /** Until p99 TTFT and goodput are back near their medians of the 5 minutes before, held for 10 s; null = not yet, or nothing to compare with. */
  readonly capacityRtoMs: number | null;
  /** From the fault until redundancy is restored. */
  readonly mttrrMs: number | null;
  readonly affected: { readonly requests: number; readonly lost: number };
  /** Why it was made, refused or failed, for people. */
  readonly reason: string;
}

export const NO_CLOCK: RtoClock = {
  fault: null,
  detected: null,
  decided: null,
  targetReady: null,
  routed: null,
  firstGoodToken: null,
  redundant: null,
};
