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
import type { RepartitionStep, RepartitionSteps } from "../api/gpu-relocation.ts";

/** One GPU, read from its driver: what exists, and which instances have an engine or a reserve where. */
export interface ObservedGpu {
  readonly layout: MigLayout;
  readonly running: readonly { readonly instance: InstanceName; readonly at: MigPlacement }[];
}
export type RepartitionMove =
  /** Do this; then look again. */
  | { readonly kind: "step"; readonly step: RepartitionStep }
  | { readonly kind: "completed" }
  /** Nothing of the plan may be done: something is there that it does not know, or is missing. */
  | { readonly kind: "blocked"; readonly explanation: Explanation };

/**
 * The next step of a plan from what is there, never from what was done: a crash between any two steps is finished by the next look. What
 * becomes of a plan that fails or takes too long is for the relocation to say.
 */
export function nextRepartitionStep(plan: RepartitionSteps, seen: ObservedGpu): RepartitionMove {
  const step = plan.steps.find((each) => !isDone(each, seen)) ?? null;
  if (step === null) return { kind: "completed" };
  const obstacle = strangersIn(plan, seen) ?? obstacleTo(step, seen);
  return obstacle === null ? { kind: "step", step } : { kind: "blocked", explanation: obstacle };
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
