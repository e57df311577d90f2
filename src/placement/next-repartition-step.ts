import type { InstanceName, MigLayout } from "../base/ids.ts";
import type { Explanation } from "../base/result.ts";
import {
  common,
  EMPTY_LAYOUT,
  formatLayout,
  formatPlacement,
  holds,
  without,
  withPlacement,
  type MigPlacement,
} from "../api/mig-layout.ts";
import { isSamePlace } from "./order-repartition.ts";
import type { RepartitionStep, RepartitionSteps, RevertibleStep } from "../api/gpu-relocation.ts";

/** One GPU, read from its driver: what exists, and which instances have an engine or a reserve where. */
export interface ObservedGpu {
  readonly layout: MigLayout;
  readonly running: readonly { readonly instance: InstanceName; readonly at: MigPlacement }[];
}
/** What is written down beside the plan. `back` is never taken back. */
export interface RepartitionProgress {
  readonly direction: "forward" | "back";
  readonly elapsedMs: number;
  /** Of one step, in a row. */
  readonly failureCount: number;
}

export type RepartitionMove =
  /** Do this; then look again. When `direction` is new, write it down first. */
  | {
      readonly kind: "step";
      readonly direction: "forward" | "back";
      readonly step: RepartitionStep;
      readonly isOverdue: boolean;
      readonly why: string;
    }
  | { readonly kind: "completed" }
  | { readonly kind: "rolled-back"; readonly why: string }
  /** Nothing of the plan may be done: something is there that it does not know, or is missing. */
  | { readonly kind: "blocked"; readonly direction: "forward" | "back"; readonly isOverdue: boolean; readonly explanation: Explanation };

/** A step is safe to repeat, so a failure may be chance; after so many it is not. */
export const STEP_TRIES = 3;

/**
 * The next step of a plan from what is there, never from what was done: a crash between any two steps is finished, or rolled back, by the
 * next look. Over its budget, or at a step that fails again and again, the plan goes back; a completed one stays completed, however late.
 */
export function nextRepartitionStep(plan: RepartitionSteps, progress: RepartitionProgress, seen: ObservedGpu): RepartitionMove {
  const turn = turnBack(plan, progress);
  const forward = plan.steps.find(({ forward: step }) => !isDone(step, seen))?.forward ?? null;
  if (progress.direction === "forward" && forward === null) return { kind: "completed" };
  const direction = turn === null ? "forward" : "back";
  const isOverdue = progress.elapsedMs > plan.budgetMs + plan.rollbackBudgetMs;
  const step = direction === "forward" ? forward : undoing(plan.steps, seen);
  if (step === null) return { kind: "rolled-back", why: turn ?? "" };
  const obstacle = strangersIn(plan, seen) ?? obstacleTo(step, seen);
  if (obstacle !== null) return { kind: "blocked", direction, isOverdue, explanation: obstacle };
  return { kind: "step", direction, step, isOverdue, why: turn ?? "The plan's next step." };
}

/** The last step that has an effect, taken back. */
const undoing = (steps: readonly RevertibleStep[], seen: ObservedGpu): RepartitionStep | null =>
  steps.findLast(({ inverse }) => !isDone(inverse, seen))?.inverse ?? null;

/** Why the plan goes back, or null. */
function turnBack({ budgetMs }: RepartitionSteps, { direction, elapsedMs, failureCount }: RepartitionProgress): string | null {
  if (failureCount >= STEP_TRIES) return `A step failed ${failureCount} times.`;
  if (elapsedMs > budgetMs) return `The plan has taken ${elapsedMs} ms of ${budgetMs} ms.`;
  return direction === "back" ? "The plan was turned back before." : null;
}

function isDone(step: RepartitionStep, { layout, running }: ObservedGpu): boolean {
  switch (step.do) {
    case "create":
      return holds(layout, step.at);
    case "destroy":
      return !holds(layout, step.at);
    case "drain":
    case "restart": {
      const isThere = running.some(({ instance, at }) => instance === step.instance && isSamePlace(at, step.at));
      return step.do === "restart" ? isThere : !isThere;
    }
  }
}

const NEXT = "Nothing is done to this GPU until it is as the plan left it; look at who else changes it.";

function strangersIn({ from, to }: RepartitionSteps, { layout }: ObservedGpu): Explanation | null {
  const unknown = without(without(layout, from), to);
  if (unknown !== EMPTY_LAYOUT) return blocked(`${formatLayout(unknown)} is on the GPU, and the plan neither found nor made it.`);
  const missing = without(common(from, to), layout);
  return missing === EMPTY_LAYOUT ? null : blocked(`${formatLayout(missing)} is gone, and the plan does not touch it.`);
}

/** The last guard: what a step would break, whatever the plan says. */
function obstacleTo(step: RepartitionStep, { layout, running }: ObservedGpu): Explanation | null {
  const place = formatPlacement(step.at);
  const occupant = running.find(({ at }) => isSamePlace(at, step.at))?.instance ?? null;
  switch (step.do) {
    case "drain":
      return null;
    case "destroy":
      return occupant === null ? null : blocked(`${occupant} runs at ${place}, which is to be destroyed.`);
    case "create":
      return withPlacement(layout, step.at) !== null ? null : blocked(`${place} does not fit beside ${formatLayout(layout)}.`);
    case "restart": {
      if (!holds(layout, step.at)) return blocked(`${step.instance} is to start at ${place}, which does not exist.`);
      if (occupant !== null) return blocked(`${step.instance} is to start at ${place}, where ${occupant} runs.`);
      const elsewhere = running.find(({ instance }) => instance === step.instance);
      return elsewhere === undefined
        ? null
        : blocked(`${step.instance} is to start at ${place}, and runs at ${formatPlacement(elsewhere.at)}.`);
    }
  }
}

const blocked = (why: string): Explanation => ({ what: "The re-partition waits.", why, next: NEXT });
