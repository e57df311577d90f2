import type { Epoch, Generation, InstanceName, NodeName, PartitionName, ServiceName, Uid } from "../base/ids.ts";
import type { Level } from "./hot-standby-config.ts";
import type { Condition } from "./resource.ts";

export const PHASES = ["Normal", "Shifting", "Waking", "ColdStarting", "Degraded", "Restoring", "Failback", "Hold"] as const;
export type ServicePhase = (typeof PHASES)[number];

export const INSTANCE_STATES = [
  "Pending",
  "Starting",
  "Asleep",
  "Waking",
  "Verifying",
  "Ready",
  "Suspect",
  "Draining",
  "Fenced",
  "Failed",
] as const;
export type InstanceState = (typeof INSTANCE_STATES)[number];

export interface Member {
  readonly node: NodeName;
  readonly gpu: number;
  readonly partition: PartitionName;
}

/** One engine with its GPUs, as the standby-controller last saw it. */
export interface InstanceStatus {
  readonly name: InstanceName;
  readonly uid: Uid;
  readonly generation: Generation;
  readonly level: Level;
  readonly state: InstanceState;
  readonly weight: number;
  readonly members: readonly Member[];
  /** `http://127.0.0.1:40001`; null while nothing listens. */
  readonly endpoint: string | null;
  /** null = no process of ours. */
  readonly pid: number | null;
  readonly serves: readonly ServiceName[];
  /** What this generation was started with: model, revision, engine, arguments. Differs from the config's while a change rolls; empty before the first start. */
  readonly fingerprint: string;
  /** Failed starts in a row at this placement: two quarantine the GPU for this instance. */
  readonly failedStarts: number;
  /** Failed wakes of this generation: one takes it off the ladder, two end it. */
  readonly failedWakes: number;
  /** How often of late it was ended for taking more of a shared GPU than it was granted, when last, and what it took; null = it was not. */
  readonly violations: { readonly count: number; readonly at: string; readonly what: string } | null;
  /** Why the state is what it is, for people: `exit by SIGKILL`, `loading 16 GB`. */
  readonly message: string;
}

export interface OpenMove {
  /** Name of its FailoverRecord. */
  readonly record: string;
  readonly epoch: Epoch;
  readonly from: Level | "degraded";
  readonly to: Level | "degraded";
  readonly cause: string;
  readonly requestedBy: "automatic" | "operator";
  readonly decidedAt: string;
}

/** How the way back up stands, and how the last ones ended. */
export interface FailbackState {
  /** Traffic returns in steps: the share of new requests that goes to hot first, and since when. null = no failback is under way. */
  readonly step: { readonly percent: number; readonly since: string } | null;
  /** When the last one was through; null = none was, or hot was lost again since. */
  readonly doneAt: string | null;
  /** Those in a row that did not last; each makes the next wait twice as long. null = the last one was good for long. */
  readonly undone: { readonly count: number; readonly at: string; readonly why: string } | null;
}

export const NO_FAILBACK: FailbackState = { step: null, doneAt: null, undone: null };

/** What late recoveries have taken of the time that the tier allows for them. */
export interface ErrorBudget {
  /** When the first late loss was counted; null = none is. */
  readonly windowStart: string | null;
  /** By how much losses were later than `rtoTarget`, together. */
  readonly burnedMs: number;
  readonly lateCount: number;
  /** The newest that was counted, also before the window: it is told of more than once. */
  readonly last: { readonly fault: string; readonly lateMs: number } | null;
}

export const NO_BURN: ErrorBudget = { windowStart: null, burnedMs: 0, lateCount: 0, last: null };

/** The durable truth of a HotStandbyConfig: route tables are derived from it. */
export interface ServiceStatus {
  readonly phase: ServicePhase;
  /** Where traffic belongs now, also while that rung is still being woken or started; `degraded` = nothing can serve and nothing is on its way. */
  readonly level: Level | "degraded";
  /** An operator moved the service here: nothing but a loss moves it until an operator does. null = the ladder decides. */
  readonly pinned: Level | null;
  /** Since when everything above `level` has been whole without a break: failback waits for the soak. null = it is not. */
  readonly soakSince: string | null;
  readonly failback: FailbackState;
  readonly errorBudget: ErrorBudget;
  /** The last move down, while its clock runs (redundancy is not restored yet); enough to write its FailoverRecord again. null = none. */
  readonly openMove: OpenMove | null;
  readonly epoch: Epoch;
  /** Orders everything inside an epoch; grows at every published change. */
  readonly revision: number;
  readonly observedGeneration: number;
  readonly instances: readonly InstanceStatus[];
  readonly failovers: { readonly inWindow: number; readonly max: number; readonly windowStart: string | null };
  readonly rto: { readonly targetMs: number; readonly lastMs: number | null; readonly worstMs: number | null };
  /** Known answer of the model, recorded at the first verified load; null before. */
  readonly knownAnswer: string | null;
  /** The fingerprint that `knownAnswer` belongs to; null with it. */
  readonly knownAnswerOf: string | null;
  /** GPUs on which an instance failed to start or that were lost: placed elsewhere until cleared. */
  readonly quarantined: readonly { readonly node: NodeName; readonly gpu: number; readonly reason: string; readonly since: string }[];
  /** The last decisions, newest last, at most 50: what `describe` shows. */
  readonly history: readonly { readonly at: string; readonly what: string; readonly why: string }[];
  readonly conditions: readonly Condition[];
}
