import type { Generation, InstanceName, MonotonicMs, NodeName, ServiceName, Uid } from "../base/ids.ts";
import type { EjectionCause } from "../api/link-message.ts";
import type { InstanceStatus, Member } from "../api/service-status.ts";
import type { Note } from "./add-history.ts";
import type { DesiredInstance } from "./desired-instances.ts";
import type { InstanceMemo } from "./restart-memo.ts";

/** Where the one allocator wants the instance. */
export type Placement =
  | { readonly kind: "bound"; readonly members: readonly Member[] }
  | { readonly kind: "refused"; readonly what: string; readonly why: string }
  | { readonly kind: "waiting" };

/** The engine that runs under the instance's name, whatever its generation. */
export interface RunningView {
  readonly uid: Uid;
  readonly generation: Generation;
  readonly endpoint: string;
  readonly pid: number | null;
}

/** The one task at work, or just finished, for an instance. */
export type TaskView =
  | { readonly kind: "starting"; readonly generation: Generation; readonly stage: "launching" | "loading" | "verifying" }
  | { readonly kind: "started"; readonly generation: Generation; readonly answer: string }
  | { readonly kind: "start-failed"; readonly generation: Generation; readonly reason: string }
  | { readonly kind: "checking"; readonly generation: Generation; readonly purpose: CheckPurpose }
  | {
      readonly kind: "checked";
      readonly generation: Generation;
      readonly purpose: CheckPurpose;
      readonly verdict: CheckVerdict;
      readonly detail: string;
    }
  | { readonly kind: "stopping" }
  | { readonly kind: "stopped" };
/** heartbeat = a cheap look at a healthy one; judgement = is it dead or hung? */
export type CheckPurpose = "heartbeat" | "judgement";
/** unsure = we ourselves were too slow to judge anybody. */
type CheckVerdict = "alive" | "dead" | "unsure";

interface ExitView {
  readonly generation: Generation;
  readonly reason: string;
}
export interface ReportView {
  readonly generation: Generation;
  readonly cause: EjectionCause;
}

/** All that is known of one instance at one look. */
export interface InstanceLook {
  /** null = the config asks for it no longer. */
  readonly desired: DesiredInstance | null;
  /** null = never heard of. */
  readonly recorded: InstanceStatus | null;
  readonly placement: Placement;
  readonly running: RunningView | null;
  readonly task: TaskView | null;
  readonly exit: ExitView | null;
  readonly report: ReportView | null;
  readonly memo: InstanceMemo;
}

/** What all instances of a service share at one look. */
export interface ServiceLook {
  readonly service: ServiceName;
  readonly nowMs: MonotonicMs;
  readonly fingerprint: string;
  /** The known answer recorded for `fingerprint`; null = the next verified start records it. */
  readonly expectedAnswer: string | null;
  /** The one instance that may be taken down now for a changed model; null = none. */
  readonly rolls: InstanceName | null;
  /** Every gateway that is joined has acknowledged the table in force. */
  readonly isAcknowledged: boolean;
  /** `node/gpu` of GPUs that the driver has lost. */
  readonly lostGpus: ReadonlySet<string>;
  /** `node/gpu` of GPUs that this service keeps away from. */
  readonly quarantinedGpus: ReadonlySet<string>;
  /** Makes the uid of an instance that is new at this look. */
  readonly freshUid: (name: InstanceName) => Uid;
}

/** Performed after the next status is stored; each is safe to repeat. */
export type InstanceAction =
  /** Make the engine exist, wait until it is ready, verify its known answer. */
  | {
      readonly type: "start";
      readonly instance: InstanceName;
      readonly uid: Uid;
      readonly generation: Generation;
      readonly members: readonly Member[];
    }
  /** Kill it: nothing of it may live on. */
  | { readonly type: "fence"; readonly instance: InstanceName }
  /** Let it finish what it has, then end it. */
  | { readonly type: "drain"; readonly instance: InstanceName; readonly endpoint: string }
  | {
      readonly type: "check";
      readonly instance: InstanceName;
      readonly generation: Generation;
      readonly endpoint: string;
      readonly purpose: CheckPurpose;
    };

export interface Quarantine {
  readonly node: NodeName;
  readonly gpu: number;
  readonly reason: "GpuLost" | "FailedStarts";
}

export interface InstanceDecision {
  /** null = nothing is left to remember. */
  readonly next: InstanceStatus | null;
  readonly memo: InstanceMemo;
  readonly actions: readonly InstanceAction[];
  readonly notes: readonly Note[];
  readonly quarantine: readonly Quarantine[];
  /** The known answer that a verified start gave, to be recorded when there was none. */
  readonly answer: string | null;
  /** null = only when something is reported. */
  readonly lookAgainAfterMs: number | null;
}

export const gpuKey = (at: { readonly node: NodeName; readonly gpu: number }): string => `${at.node}/${at.gpu}`;

/** A decision that changes nothing but what is given. */
export function decision(next: InstanceStatus | null, memo: InstanceMemo, more: Partial<InstanceDecision> = {}): InstanceDecision {
  return { next, memo, actions: [], notes: [], quarantine: [], answer: null, lookAgainAfterMs: null, ...more };
}
