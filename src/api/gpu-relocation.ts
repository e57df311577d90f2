import type { InstanceName, MigLayout, NodeName } from "../base/ids.ts";
import type { Level } from "./hot-standby-config.ts";
import type { MigPlacement } from "./mig-layout.ts";

/** A GPU, and where MIG cuts it which of its instances. */
export interface RelocationPlace {
  readonly node: NodeName;
  readonly gpu: number;
  readonly mig: MigPlacement | null;
}

/**
 * One change of one GPU, safe to repeat. `drain` takes the instance's traffic away and ends its engine: a MIG instance can only go while it is
 * idle.
 */
export type RepartitionStep =
  | { readonly do: "drain" | "restart"; readonly instance: InstanceName; readonly at: MigPlacement; readonly budgetMs: number }
  | { readonly do: "destroy" | "create"; readonly at: MigPlacement; readonly budgetMs: number };

/** How one MIG GPU is cut anew, step by step. Plain data: written down before its first step, and gone on with from what is observed. */
export interface RepartitionSteps {
  readonly from: MigLayout;
  readonly to: MigLayout;
  readonly steps: readonly RepartitionStep[];
  /** Of all steps. */
  readonly budgetMs: number;
}

export interface RelocationVictim {
  readonly instance: InstanceName;
  readonly level: Level;
  readonly from: RelocationPlace;
  readonly to: RelocationPlace;
}

export const RELOCATION_PHASES = ["Running", "RollingBack", "Completed", "RolledBack", "Failed"] as const;
export interface RelocationStatus {
  /** Failed = neither finished nor taken back in its time: somebody must look. */
  readonly phase: (typeof RELOCATION_PHASES)[number];
  /** Refusals of the driver in a row, at one step. */
  readonly failureCount: number;
  readonly message: string;
  /** By the clock of the control plane that looked first. */
  readonly startedAt: string;
  /** null = at work. */
  readonly endedAt: string | null;
}

/** Instances that move so that another one has room: the journal of it. Named after who gets the room. */
export interface GpuRelocation {
  readonly name: string;
  readonly wish: InstanceName;
  /** Where the wish goes: one GPU for each that it needs, of one node. They take nobody else meanwhile. */
  readonly places: readonly RelocationPlace[];
  /** Where it runs on too little until then; none = it has nothing. */
  readonly wishFrom: readonly RelocationPlace[];
  /** In the order in which they are moved. */
  readonly victims: readonly RelocationVictim[];
  /** How the one GPU is cut anew; null = victims only go. */
  readonly cut: RepartitionSteps | null;
  readonly budgetMs: number;
  readonly rollbackBudgetMs: number;
  /** null = nobody has looked at it yet. */
  readonly status: RelocationStatus | null;
}

export const isEnded = ({ status }: Pick<GpuRelocation, "status">): boolean => status !== null && status.endedAt !== null;
