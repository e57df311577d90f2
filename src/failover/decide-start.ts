import { generation, type Generation } from "../base/ids.ts";
import { isSameJson } from "../base/same-json.ts";
import type { InstanceStatus } from "../api/service-status.ts";
import { barredBy } from "./barred-by.ts";
import {
  decision,
  gpuKey,
  type InstanceAction,
  type InstanceDecision,
  type InstanceLook,
  type Quarantine,
  type ServiceLook,
} from "./instance-look.ts";
import { afterEnd, type InstanceMemo } from "./restart-memo.ts";

/** So many failed starts in a row at one placement, and the GPU is to blame until proved otherwise. */
const FAILED_STARTS_MAX = 2;

/** Starts the next generation, or says what it waits for. Nothing of an older generation may run any more. */
export function beginOrWait(recorded: InstanceStatus, memo: InstanceMemo, look: InstanceLook, service: ServiceLook): InstanceDecision {
  if (look.running !== null || look.task?.kind === "stopping") return fence(recorded, memo, look, recorded.message);
  const quarantine = blamedGpus(recorded, look, service);
  const settled: InstanceStatus = {
    ...recorded,
    endpoint: null,
    pid: null,
    failedStarts: quarantine.length > 0 ? 0 : recorded.failedStarts,
  };
  const pending = (message: string): InstanceDecision => decision({ ...settled, state: "Pending", message }, memo, { quarantine });
  if (quarantine.length > 0) {
    const decided = pending(`waits for another GPU than ${quarantine.map(gpuKey).join(", ")}`);
    return { ...decided, notes: quarantine.filter(({ reason }) => reason === "SlowTeardown").map((at) => slowNote(recorded, at)) };
  }
  if (look.placement.kind === "refused") return pending(`${look.placement.what} ${look.placement.why}`);
  if (look.placement.kind === "waiting") return pending("waits for its GPU partition");
  const { members, leaving } = look.placement;
  if (leaving !== null) return pending(`waits for another place: it ${leaving}`);
  const shunned = members.find((member) => service.quarantinedGpus.has(gpuKey(member)));
  if (shunned !== undefined) return pending(`waits for another GPU than ${gpuKey(shunned)}`);
  const barred = barredBy(recorded, service);
  if (barred !== null) return decision({ ...settled, state: "Failed", message: barred.why }, memo, { lookAgainAfterMs: barred.forMs });
  if (memo.startNotBeforeMs !== null && memo.startNotBeforeMs > service.nowMs) {
    const next: InstanceStatus = { ...settled, state: "Failed", message: recorded.message };
    return decision(next, memo, { lookAgainAfterMs: memo.startNotBeforeMs - service.nowMs });
  }
  const started: InstanceStatus = {
    ...settled,
    state: "Starting",
    generation: following(recorded.generation),
    failedWakes: 0,
    members,
    fingerprint: service.fingerprint,
    message: "starts",
  };
  const note = {
    what: `Starts ${started.name} as generation ${started.generation} on ${members.map(gpuKey).join(", ")}.`,
    why: startReason(recorded),
  };
  return decision(started, memo, { actions: [startAction(started, look)], notes: [note] });
}

/** An instance whose generation was told to start and is not Ready yet. */
export function decideStarting(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision {
  const { running } = look;
  const task = look.task !== null && "generation" in look.task && look.task.generation === recorded.generation ? look.task : null;
  if (running !== null && (running.uid !== recorded.uid || running.generation !== recorded.generation)) {
    return fence(recorded, look.memo, look, `an older generation (${running.generation}) still runs`);
  }
  if (isDisplaced(recorded, look)) {
    const why = "its GPUs are promised elsewhere";
    if (running === null && look.task === null) return beginOrWait({ ...recorded, message: why }, look.memo, look, service);
    return fence(recorded, look.memo, look, why);
  }
  if (task?.kind === "start-failed") return failStart(recorded, task.reason, look, service);
  if (running === null) {
    if (look.exit?.generation === recorded.generation) return failStart(recorded, look.exit.reason, look, service);
    if (task?.kind === "starting" && (task.stage === "queued" || task.stage === "launching")) return decision(recorded, look.memo);
    if (task !== null) return failStart(recorded, "its process is gone", look, service);
    // The intent was recorded and nobody works on it: the control plane ended between the two.
    if (recorded.fingerprint !== service.fingerprint)
      return beginOrWait({ ...recorded, message: "the config changed" }, look.memo, look, service);
    return decision(recorded, look.memo, { actions: [startAction(recorded, look)] });
  }
  const seen: InstanceStatus = { ...recorded, endpoint: running.endpoint, pid: running.pid };
  if (task?.kind === "started") return becomeReady(seen, task.answer, look, service);
  if (task?.kind !== "starting") return decision({ ...seen, state: "Starting" }, look.memo, { actions: [startAction(recorded, look)] });
  if (task.stage === "verifying") return decision({ ...seen, state: "Verifying", message: "verifies its known answer" }, look.memo);
  return decision({ ...seen, state: "Starting", message: "loads its weights" }, look.memo);
}

/** What holds no bytes yet has its promise moved like nobody's: a start that waited for its turn must not come to the old place. */
function isDisplaced({ members }: InstanceStatus, { placement }: InstanceLook): boolean {
  if (placement.kind === "waiting") return false;
  return placement.kind === "refused" || !isSameJson(placement.members.map(gpuKey), members.map(gpuKey));
}

/** Kills whatever runs under the instance's name; what follows is decided when it is gone. */
export function fence(recorded: InstanceStatus, memo: InstanceMemo, look: InstanceLook, message: string): InstanceDecision {
  const next: InstanceStatus = { ...recorded, state: "Fenced", message };
  const isAtWork = look.task?.kind === "stopping";
  return decision(next, memo, { actions: isAtWork ? [] : [{ type: "fence", instance: recorded.name }] });
}

function becomeReady(seen: InstanceStatus, answer: string, look: InstanceLook, service: ServiceLook): InstanceDecision {
  const expected = seen.fingerprint === service.fingerprint ? service.expectedAnswer : null;
  if (expected !== null && expected !== answer) return failStart(seen, "its known answer is wrong", look, service);
  const memo: InstanceMemo = { ...look.memo, readySinceMs: service.nowMs, startNotBeforeMs: null, heardAtMs: service.nowMs };
  const known = seen.fingerprint === service.fingerprint ? answer : null;
  const next: InstanceStatus = { ...seen, state: "Ready", failedStarts: 0, message: "" };
  const why = "It is healthy and gave the known answer.";
  if (look.wish === "rest" && look.desired?.rest === "asleep") {
    // It was in no table, and comes into none: from its start straight to sleep.
    const drained: InstanceStatus = { ...next, state: "Draining", message: "loaded, goes to sleep" };
    const notes = [{ what: `${seen.name} is loaded as generation ${seen.generation} and goes to sleep.`, why }];
    return decision(drained, { ...memo, drainingSinceMs: service.nowMs }, { answer: known, notes, lookAgainAfterMs: 1 });
  }
  return decision(next, memo, { answer: known, notes: [{ what: `${seen.name} is Ready as generation ${seen.generation}.`, why }] });
}

function failStart(recorded: InstanceStatus, reason: string, look: InstanceLook, service: ServiceLook): InstanceDecision {
  const failed: InstanceStatus = { ...recorded, failedStarts: recorded.failedStarts + 1, message: `start failed: ${reason}` };
  const decided = beginOrWait(failed, afterEnd(look.memo, service.nowMs), look, service);
  const note = { what: `Generation ${recorded.generation} of ${recorded.name} did not start.`, why: reason };
  return { ...decided, notes: [note, ...decided.notes] };
}

/**
 * The GPUs that the instance must leave: lost ones, those where it failed to start beside the bytes of a dead process, and all of a placement
 * where it failed to start too often for no such reason.
 */
function blamedGpus(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): readonly Quarantine[] {
  const placed = look.placement.kind === "bound" ? look.placement.members : [];
  const lost = placed.filter((member) => service.lostGpus.has(gpuKey(member)));
  const slow = recorded.failedStarts === 0 ? [] : placed.filter((member) => service.slowGpus.has(gpuKey(member)));
  const blamed: readonly Quarantine[] = [
    ...lost.map(({ node, gpu }) => ({ node, gpu, reason: "GpuLost" as const })),
    ...slow.map(({ node, gpu }) => ({ node, gpu, reason: "SlowTeardown" as const })),
    ...(recorded.failedStarts >= FAILED_STARTS_MAX && slow.length === 0
      ? recorded.members.map(({ node, gpu }) => ({ node, gpu, reason: "FailedStarts" as const }))
      : []),
  ];
  return blamed.filter((entry) => !service.quarantinedGpus.has(gpuKey(entry)));
}

const slowNote = ({ name }: InstanceStatus, at: Quarantine) => ({
  what: `Keeps ${name} away from GPU ${gpuKey(at)} until its driver has freed it.`,
  why: "It still holds what a dead process had there: a start beside it failed.",
});

function startReason({ generation: last, state, message }: InstanceStatus): string {
  if (last === 0) return "The config asks for it.";
  return state === "Pending" ? "It has its GPU now." : `Generation ${last}: ${message}.`;
}

const following = (count: Generation): Generation => generation(count + 1);

const startAction = ({ name, uid, generation: of, members }: InstanceStatus, { isUrgent }: InstanceLook): InstanceAction => ({
  type: "start",
  instance: name,
  uid,
  generation: of,
  members,
  isUrgent,
});
