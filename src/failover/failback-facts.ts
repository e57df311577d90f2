import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { Condition } from "../api/resource.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { formatDuration } from "../base/time.ts";
import { waitMs } from "./decide-failback.ts";
import { isBudgetSpent, tellBudget } from "./error-budget.ts";

type Fact = Omit<Condition, "lastTransitionTime">;

/** Conditions of the way back: the step that it is at, what makes the next one wait, and what is left of the error budget. */
export function failbackFacts(config: HotStandbyConfig, status: ServiceStatus, paused: string | null): readonly Fact[] {
  return [underWay(status, paused), blocked(config, status), spent(config, status)];
}

function underWay({ failback: { step } }: ServiceStatus, paused: string | null): Fact {
  const type = "FailingBack";
  if (step === null) return { type, status: "False", reason: "NoneUnderWay", message: "No traffic is on its way back to hot." };
  const share = `${step.percent} % of new requests go to hot since ${step.since}.`;
  return paused === null
    ? { type, status: "True", reason: "InSteps", message: share }
    : { type, status: "True", reason: "Paused", message: `${share} ${paused}` };
}

function blocked(config: HotStandbyConfig, status: ServiceStatus): Fact {
  const type = "FailbackBlocked";
  const { undone } = status.failback;
  if (undone === null) return { type, status: "False", reason: "NoneUndone", message: "The next failback waits for the soak alone." };
  const wait = formatDuration(waitMs(config, { ...status, openMove: null }));
  const times = undone.count === 1 ? "The last failback" : `Each of the last ${undone.count} failbacks`;
  const message = `${times} did not last (${undone.at}: ${undone.why}) Hot must be well for ${wait} before the next.`;
  return { type, status: "True", reason: "LastUndone", message };
}

function spent({ tier }: HotStandbyConfig, { errorBudget }: ServiceStatus): Fact {
  const type = "ErrorBudgetSpent";
  const told = tellBudget(errorBudget, tier);
  return isBudgetSpent(errorBudget, tier)
    ? { type, status: "True", reason: "Spent", message: `${told}; failbacks wait for the longest until resume.` }
    : { type, status: "False", reason: "Left", message: `${told}.` };
}
