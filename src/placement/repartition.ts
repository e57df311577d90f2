import type { Level } from "../api/hot-standby-config.ts";
import type { RepartitionSteps } from "../api/gpu-relocation.ts";
import type { InstanceName } from "../base/ids.ts";
import type { MigProfile } from "../api/mig-geometry.ts";
import type { MigPlacement } from "../api/mig-layout.ts";
import type { NoLayout } from "./plan-layout.ts";

/** Who uses a MIG instance, and what it would take to move it. */
export interface MigTenancy {
  readonly instance: InstanceName;
  readonly level: Level;
  /** true = not to be touched: its service may lose nobody now. */
  readonly isPinned: boolean;
  /** true = there is a place for it on another GPU, or it may be given up. */
  readonly mayLeave: boolean;
  /** What its requests are given at most to end or move; 0 = it serves nothing. */
  readonly drainMs: number;
  /** From a fresh MIG instance to Ready, at most; 0 = nothing runs there (a cold reserve). */
  readonly restartMs: number;
}
/** One MIG instance of the GPU as it is now. */
export interface MigUse {
  readonly placement: MigPlacement;
  /** null = nobody uses it: it may go. */
  readonly tenancy: MigTenancy | null;
}
/** A tenancy with the place where it is. */
export interface MigTenant extends MigTenancy {
  readonly placement: MigPlacement;
}
export interface MigWish {
  readonly instance: InstanceName;
  readonly profile: MigProfile;
}

/** Compared from the top: a plan is better where the first difference is smaller. */
export interface RepartitionCost {
  readonly hotVictims: number;
  readonly warmVictims: number;
  readonly coldVictims: number;
  /** Of the victims: those that get no new placement on this GPU. */
  readonly leavingCount: number;
  /** Drain and restart of all victims. */
  readonly disturbedMs: number;
  /** MIG instances destroyed and created. */
  readonly changeCount: number;
}
export interface RepartitionVictim {
  readonly instance: InstanceName;
  readonly level: Level;
  readonly from: MigPlacement;
  /** null = it leaves the GPU. */
  readonly to: MigPlacement | null;
}

export interface RepartitionPlan extends RepartitionSteps {
  readonly victims: readonly RepartitionVictim[];
  /** Where each wish is met once the plan is completed. */
  readonly granted: readonly (MigWish & { readonly placement: MigPlacement })[];
  readonly cost: RepartitionCost;
}

export type RepartitionRefusal =
  /** Not even with everything moved or gone that may be. */
  | { readonly code: "GEOMETRY"; readonly noLayout: NoLayout; readonly pinned: readonly InstanceName[] }
  /** What is said to stand on the GPU cannot stand there. */
  | { readonly code: "ILLEGAL_CURRENT"; readonly placement: MigPlacement };

/** Our own model's defaults, without a source: a driver that was measured says better. */
export const MIG_CHANGE_MS = 5_000;
