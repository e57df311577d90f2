import { generation } from "../base/ids.ts";
import type { InstanceStatus } from "../api/service-status.ts";
import { containViolation, withoutOldViolations } from "./contain-violation.ts";
import { calmed, fenceAndRestart, restart } from "./decide-end.ts";
import { beginRest, decideAsleep, decideGoingToSleep, decideWaking, isGoingToSleep } from "./decide-rest.ts";
import { beginOrWait, decideStarting } from "./decide-start.ts";
import { rollOf } from "./rolls-next.ts";
import type { DesiredInstance } from "./desired-instances.ts";
import { decision, gpuKey, type InstanceDecision, type InstanceLook, type ServiceLook } from "./instance-look.ts";
import type { InstanceMemo } from "./restart-memo.ts";

/** A healthy engine is asked so often whether it is; the question is the claim that keeps it alive. */
const HEARTBEAT_MS = 5_000;
/** Those that are due so soon are asked now: those of a service come to be asked together, at one look. */
const TOGETHER_MS = 500;
/** One that this process never heard, whose own process is there: what died while nobody looked is brought back first. */
const FIRST_HEARTBEAT_MS = 1_000;
/** A gateway that is joined but acknowledges nothing holds up a drain no longer than this. */
export const ACKNOWLEDGE_MAX_MS = 10_000;
/** An acknowledgement is reported; without any gateway none comes. */
const DRAIN_LOOK_MS = 100;

/** What to do with one instance, level-triggered: only what is seen counts, never what was done before. Pure. */
export function decideInstance(look: InstanceLook, service: ServiceLook): InstanceDecision {
  const contained = look.recorded === null ? null : containViolation(look.recorded, look, service);
  if (contained !== null) return contained;
  if (look.desired === null) return look.recorded === null ? decision(null, look.memo) : retire(look.recorded, look, service);
  const recorded =
    look.recorded === null
      ? admit(look.desired, service)
      : { ...withoutOldViolations(look.recorded, service), weight: look.desired.weight };
  switch (recorded.state) {
    case "Pending":
    case "Failed":
    case "Fenced":
      return beginOrWait(recorded, look.memo, look, service);
    case "Asleep":
      return decideAsleep(recorded, look, service);
    case "Waking":
      return decideWaking(recorded, look, service);
    case "Starting":
    case "Verifying":
      return decideStarting(recorded, look, service);
    case "Ready":
    case "Suspect":
      return decideReady(recorded, look, service);
    case "Draining":
      return isGoingToSleep(recorded, look, service)
        ? decideGoingToSleep(recorded, look, service)
        : decideDraining(recorded, look, service);
  }
}

function admit(desired: DesiredInstance, service: ServiceLook): InstanceStatus {
  return {
    name: desired.name,
    uid: service.freshUid(desired.name),
    generation: generation(0),
    level: desired.level,
    state: "Pending",
    weight: desired.weight,
    members: [],
    endpoint: null,
    pid: null,
    serves: [service.service],
    fingerprint: "",
    failedStarts: 0,
    failedWakes: 0,
    violations: null,
    message: "",
  };
}

function decideReady(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision {
  const { running } = look;
  if (running === null) return restart(recorded, look, service);
  if (running.uid !== recorded.uid || running.generation !== recorded.generation) {
    return fenceAndRestart(recorded, look, service, `generation ${running.generation} runs in place of ${recorded.generation}`);
  }
  const lost = recorded.members.find((member) => service.lostGpus.has(gpuKey(member)));
  if (lost !== undefined) return fenceAndRestart(recorded, look, service, `its GPU ${gpuKey(lost)} is lost`);
  const seen: InstanceStatus = { ...recorded, endpoint: running.endpoint, pid: running.pid };
  const task = look.task?.kind === "checked" && look.task.generation === recorded.generation ? look.task : null;
  if (task?.verdict === "dead" && task.purpose === "judgement") return fenceAndRestart(seen, look, service, task.detail);
  return stayReady(seen, look, service, task);
}

function stayReady(
  seen: InstanceStatus,
  look: InstanceLook,
  service: ServiceLook,
  checked: Extract<InstanceLook["task"], { kind: "checked" }> | null,
): InstanceDecision {
  const calm = calmed(look.memo, service, checked === null || checked.verdict === "dead" ? null : checked.atMs);
  const memo: InstanceMemo = service.isFull && calm.neededAtMs !== null ? { ...calm, neededAtMs: service.nowMs } : calm;
  const isJudging = look.task?.kind === "checking" && look.task.purpose === "judgement";
  if (isJudging) return decision({ ...seen, state: "Suspect" }, memo);
  const reported = look.report?.generation === seen.generation ? look.report : null;
  const suspicion = reported?.cause ?? (checked?.verdict === "dead" ? "unheard" : null);
  const wasOpen = seen.state === "Suspect" && checked?.verdict !== "alive";
  if (suspicion !== null || wasOpen) {
    const next: InstanceStatus = { ...seen, state: "Suspect", message: suspicion === null ? seen.message : `suspected: ${suspicion}` };
    return decision(next, memo, { actions: [checkAction(seen, "judgement")] });
  }
  const ready: InstanceStatus = { ...seen, state: "Ready", message: "" };
  const notes =
    seen.state === "Suspect" ? [{ what: `Leaves ${seen.name} as it is.`, why: `${seen.message}, but ${checked?.detail ?? ""}` }] : [];
  if (service.rolls === seen.name) {
    const roll = rollOf(seen, look, service);
    const drained: InstanceStatus = { ...seen, state: "Draining", message: roll.message };
    return decision(
      drained,
      { ...memo, drainingSinceMs: service.nowMs },
      { notes: [...notes, roll.note], lookAgainAfterMs: DRAIN_LOOK_MS },
    );
  }
  const isKeptAwake = look.wish !== "rest" || look.desired?.rest !== "asleep";
  if (!isKeptAwake) {
    const rested = beginRest(ready, memo, service, { what: `Takes ${seen.name} out to let it sleep.`, why: "Nothing needs it awake." });
    return { ...rested, notes: [...notes, ...rested.notes] };
  }
  const dueAtMs = memo.heardAtMs === null ? (memo.readySinceMs ?? service.nowMs) + FIRST_HEARTBEAT_MS : memo.heardAtMs + HEARTBEAT_MS;
  const dueInMs = dueAtMs - service.nowMs;
  // An answer that is anything but good asks for a look by itself.
  if (look.task?.kind === "checking") return decision(ready, memo, { notes, lookAgainAfterMs: HEARTBEAT_MS });
  if (dueInMs > (memo.heardAtMs === null ? 0 : TOGETHER_MS)) return decision(ready, memo, { notes, lookAgainAfterMs: dueInMs });
  return decision(ready, memo, { notes, actions: [checkAction(seen, "heartbeat")], lookAgainAfterMs: HEARTBEAT_MS });
}

/** Taken out of the table already: ended once every gateway knows, then started anew or forgotten. */
function decideDraining(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision {
  const sinceMs = look.memo.drainingSinceMs ?? service.nowMs;
  const memo: InstanceMemo = { ...look.memo, drainingSinceMs: sinceMs };
  if (look.task?.kind === "stopping") return decision(recorded, memo);
  if (look.task?.kind === "starting") return decision(recorded, memo, { actions: [{ type: "fence", instance: recorded.name }] });
  if (look.running === null) {
    if (look.desired === null) return decision(null, memo);
    return beginOrWait({ ...recorded, failedStarts: 0 }, { ...memo, drainingSinceMs: null }, look, service);
  }
  const waitMs = sinceMs + ACKNOWLEDGE_MAX_MS - service.nowMs;
  if (!service.isAcknowledged && waitMs > 0) return decision(recorded, memo, { lookAgainAfterMs: Math.min(waitMs, DRAIN_LOOK_MS) });
  return decision(recorded, memo, { actions: [{ type: "drain", instance: recorded.name, endpoint: look.running.endpoint }] });
}

/** The config asks for it no longer. */
function retire(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision {
  if (recorded.state === "Draining") return decideDraining(recorded, look, service);
  if (look.running === null && look.task === null && !isBusy(recorded)) return decision(null, look.memo);
  const next: InstanceStatus = { ...recorded, state: "Draining", message: "drains: the config asks for it no longer" };
  return decision(
    next,
    { ...look.memo, drainingSinceMs: service.nowMs },
    {
      notes: [{ what: `Takes ${recorded.name} out.`, why: "The config asks for it no longer." }],
      lookAgainAfterMs: DRAIN_LOOK_MS,
    },
  );
}

/** A process of it may be about to exist although none is seen. */
const isBusy = (recorded: InstanceStatus): boolean => recorded.state === "Starting" || recorded.state === "Verifying";

const checkAction = (of: InstanceStatus, purpose: "heartbeat" | "judgement") =>
  ({ type: "check", instance: of.name, generation: of.generation, endpoint: of.endpoint ?? "", purpose }) as const;
