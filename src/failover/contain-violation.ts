import type { InstanceState, InstanceStatus } from "../api/service-status.ts";
import { formatWall } from "../base/time.ts";
import { ageMs } from "./barred-by.ts";
import { fenceAndRestart } from "./decide-end.ts";
import { decision, type InstanceDecision, type InstanceLook, type ServiceLook } from "./instance-look.ts";

const REMEMBERED_MS = 3_600_000;

/** States in which a process of it runs that nobody is ending yet. */
const RUNS: ReadonlySet<InstanceState> = new Set(["Starting", "Verifying", "Ready", "Suspect", "Asleep", "Waking", "Draining"]);

/** Ends the process that took more of its GPU than it was granted; null = it did not. */
export function containViolation(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision | null {
  const { violation, running } = look;
  if (violation === null || running === null || running.pid !== violation.pid || !RUNS.has(recorded.state)) return null;
  const why = violation.what;
  const count = (recorded.violations?.count ?? 0) + 1;
  const marked: InstanceStatus = { ...recorded, violations: { count, at: formatWall(service.wallMs), what: why } };
  // A drain that is at work would give it half a minute more.
  const actions = [{ type: "fence" as const, instance: recorded.name }];
  if (look.desired !== null) return { ...fenceAndRestart(marked, look, service, why), actions };
  if (recorded.message === why) return null;
  const note = { what: `Ends ${recorded.name} without grace.`, why: `Generation ${recorded.generation}: ${why}.` };
  return decision({ ...marked, state: "Draining", message: why }, look.memo, { actions, notes: [note] });
}

/** The same instance, with what was long ago forgotten; a changed config is a new chance. */
export function withoutOldViolations(recorded: InstanceStatus, service: ServiceLook): InstanceStatus {
  if (recorded.violations === null) return recorded;
  const isOld = ageMs(recorded.violations.at, service.wallMs) >= REMEMBERED_MS;
  return isOld || service.isSpecNew ? { ...recorded, violations: null } : recorded;
}
