import type { Generation, InstanceName, MonotonicMs, NodeName, ServiceName, Uid, WallMs } from "../base/ids.ts";
import type { EjectionCause, RungActivated } from "../api/link-message.ts";
import type { InstanceStatus, Member } from "../api/service-status.ts";
import type { Note } from "./add-history.ts";
import type { DesiredInstance } from "./desired-instances.ts";
import type { InstanceMemo } from "./restart-memo.ts";

/** Where the one allocator wants the instance. */
export type Placement =
  /** `leaving` = it must go from there, and why: drained when the service can do without, and not started there again; null = it may stay. */
  | { readonly kind: "bound"; readonly members: readonly Member[]; readonly leaving: string | null }
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
  /** queued = waits for its GPU or its link, behind what is more urgent. */
  | { readonly kind: "starting"; readonly generation: Generation; readonly stage: "queued" | "launching" | "loading" | "verifying" }
  | { readonly kind: "started"; readonly generation: Generation; readonly answer: string }
  | { readonly kind: "start-failed"; readonly generation: Generation; readonly reason: string }
  | { readonly kind: "checking"; readonly generation: Generation; readonly purpose: CheckPurpose }
  | {
      readonly kind: "checked";
      readonly generation: Generation;
      readonly purpose: CheckPurpose;
      readonly verdict: CheckVerdict;
      readonly detail: string;
      readonly atMs: MonotonicMs;
    }
  | { readonly kind: "waking"; readonly generation: Generation; readonly stage: "queued" | "waking" }
  | { readonly kind: "woken"; readonly generation: Generation; readonly answer: string }
  | { readonly kind: "wake-failed"; readonly generation: Generation; readonly reason: string }
  /** Lets it finish what it has, puts it to sleep, and reads its memory back. */
  | { readonly kind: "sleeping"; readonly generation: Generation }
  | { readonly kind: "slept"; readonly generation: Generation }
  | { readonly kind: "sleep-failed"; readonly generation: Generation; readonly reason: string }
  | { readonly kind: "stopping" }
  | { readonly kind: "stopped" };
/** heartbeat = a cheap look at a healthy one; judgement = is it dead or hung?; rest = is a sleeping one there, and does it sleep? */
export type CheckPurpose = "heartbeat" | "judgement" | "rest";
/** unsure = we ourselves were too slow to judge anybody; asleep = of a `rest` check alone, whose `alive` means awake. */
type CheckVerdict = "alive" | "asleep" | "dead" | "unsure";

interface ExitView {
  readonly generation: Generation;
  readonly reason: string;
}
export interface ReportView {
  readonly generation: Generation;
  readonly cause: EjectionCause;
}
/** A gateway woke it, or tried to. */
export interface ActivationView {
  readonly generation: Generation;
  readonly because: RungActivated["because"];
  readonly outcome: "awake" | "failed";
  readonly reason: string;
}

/** A process that takes more of a shared GPU than it was granted. */
export interface ViolationView {
  readonly pid: number;
  /** For people. */
  readonly what: string;
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
  readonly activation: ActivationView | null;
  readonly violation: ViolationView | null;
  readonly memo: InstanceMemo;
  /** What the ladder wants of it. */
  readonly wish: Wish;
  /** The service has nobody to serve it, and waits for this one. */
  readonly isUrgent: boolean;
}

/**
 * wake = it is needed, or it always stays awake. rest = nothing needs it: a warm one with `rest: asleep` sleeps.
 * stay = it is needed but must not be woken (Hold, advise): awake stays awake, asleep stays asleep.
 */
export type Wish = "wake" | "stay" | "rest";

/** What all instances of a service share at one look. */
export interface ServiceLook {
  readonly service: ServiceName;
  readonly nowMs: MonotonicMs;
  readonly wallMs: WallMs;
  /** The config changed since the last look. */
  readonly isSpecNew: boolean;
  readonly fingerprint: string;
  /** The known answer recorded for `fingerprint`; null = the next verified start records it. */
  readonly expectedAnswer: string | null;
  /** The one instance that may be taken down now for a changed model; null = none. */
  readonly rolls: InstanceName | null;
  /** Every gateway that is joined has acknowledged the table in force. */
  readonly isAcknowledged: boolean;
  /** `node/gpu` of GPUs that the driver has lost. */
  readonly lostGpus: ReadonlySet<string>;
  /** `node/gpu` of GPUs that still hold what a dead process had, longer than a driver takes to free it. */
  readonly slowGpus: ReadonlySet<string>;
  /** `node/gpu` of GPUs that this service keeps away from. */
  readonly quarantinedGpus: ReadonlySet<string>;
  /** A wake that takes longer has failed. */
  readonly wakeWithinMs: number;
  /** Every instance that serves now is saturated: what was woken for it is still needed. */
  readonly isFull: boolean;
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
      /** Its service has nobody to serve it: goes before all that only restores redundancy. */
      readonly isUrgent: boolean;
    }
  /** Wake it and verify its known answer, within that time; somebody else's wake is joined. */
  | {
      readonly type: "wake";
      readonly instance: InstanceName;
      readonly generation: Generation;
      readonly endpoint: string;
      readonly withinMs: number;
      readonly isUrgent: boolean;
    }
  /** No gateway sends to it any more: let it finish, put it to sleep, read back that its memory is free. */
  | { readonly type: "sleep"; readonly instance: InstanceName; readonly generation: Generation; readonly endpoint: string }
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
  readonly reason: "GpuLost" | "FailedStarts" | "SlowTeardown";
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
