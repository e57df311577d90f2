import type { RungActivated } from "../api/link-message.ts";
import type { InstanceStatus } from "../api/service-status.ts";
import type { Note } from "./add-history.ts";
import { fenceAndRestart, restart } from "./decide-end.ts";
import { decision, gpuKey, type InstanceAction, type InstanceDecision, type InstanceLook, type ServiceLook } from "./instance-look.ts";
import type { InstanceMemo } from "./restart-memo.ts";
import { leavingOf, rollOf } from "./rolls-next.ts";

/** A sleeping one is asked so often whether it is there; the question is the claim that keeps it alive. */
const REST_CHECK_MS = 5_000;
/** Those that are due so soon are asked now. */
const TOGETHER_MS = 500;
/** An acknowledgement is reported; without any gateway none comes. */
const ACKNOWLEDGE_LOOK_MS = 100;
/** A silent gateway blocks sleep for as long as its process lives: then there is no hurry. */
const ACKNOWLEDGE_LATE_MS = 10_000;
const ACKNOWLEDGE_LATE_LOOK_MS = 2_000;

/** Loaded and asleep: woken when it is needed, ratified when a gateway was faster, asked for otherwise. */
export function decideAsleep(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision {
  const ended = unfit(recorded, look, service);
  if (ended !== null) return ended;
  const seen = withRunning(recorded, look);
  const reported = activationOf(recorded, look);
  if (reported?.outcome === "failed") return failWake(seen, reported.reason, look, service);
  if (reported?.outcome === "awake") return ratify(seen, look, service);
  const checked = look.task?.kind === "checked" && look.task.generation === recorded.generation ? look.task : null;
  if (checked?.verdict === "dead") return fenceAndRestart(seen, look, service, checked.detail);
  const canVerify = seen.fingerprint === service.fingerprint && service.expectedAnswer !== null;
  if (look.wish === "wake" && canVerify) return wake(seen, look, service, wakeNote(seen, look));
  const heardAtMs = checked === null || checked.verdict === "unsure" ? look.memo.heardAtMs : checked.atMs;
  const memo: InstanceMemo = { ...look.memo, heardAtMs };
  // Nobody told of it, and what woke it did not verify it: to sleep again.
  if (checked?.verdict === "alive") {
    const why = "It is awake although nothing asked for it.";
    return beginRest(seen, memo, service, { what: `Puts ${seen.name} to sleep again.`, why });
  }
  if (service.rolls === seen.name) {
    const roll = rollOf(seen, look, service);
    const next: InstanceStatus = { ...seen, state: "Draining", message: roll.message };
    const drained = { ...memo, drainingSinceMs: service.nowMs };
    return decision(next, drained, { notes: [roll.note], lookAgainAfterMs: ACKNOWLEDGE_LOOK_MS });
  }
  const asleep: InstanceStatus = { ...seen, message: "asleep" };
  const dueInMs = memo.heardAtMs === null ? 0 : memo.heardAtMs + REST_CHECK_MS - service.nowMs;
  if (look.task?.kind === "checking") return decision(asleep, memo, { lookAgainAfterMs: REST_CHECK_MS });
  if (dueInMs > TOGETHER_MS) return decision(asleep, memo, { lookAgainAfterMs: dueInMs });
  const check = {
    type: "check",
    instance: seen.name,
    generation: seen.generation,
    endpoint: seen.endpoint ?? "",
    purpose: "rest",
  } as const;
  return decision(asleep, memo, { actions: [check], lookAgainAfterMs: REST_CHECK_MS });
}

/** Told to wake; it serves once its known answer is right, whoever asked for that. */
export function decideWaking(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision {
  const ended = unfit(recorded, look, service);
  if (ended !== null) return ended;
  const seen = withRunning(recorded, look);
  const task = look.task !== null && "generation" in look.task && look.task.generation === recorded.generation ? look.task : null;
  if (task?.kind === "woken") {
    if (service.expectedAnswer === null || seen.fingerprint !== service.fingerprint) {
      return failWake(seen, "its model changed meanwhile, so its answer cannot be verified", look, service);
    }
    if (task.answer !== service.expectedAnswer) return failWake(seen, "its known answer is wrong", look, service);
    return awake(seen, look, service, "It woke and gave the known answer.");
  }
  if (task?.kind === "wake-failed") return failWake(seen, task.reason, look, service);
  const reported = activationOf(recorded, look);
  if (reported?.outcome === "awake") return ratify(seen, look, service);
  if (reported?.outcome === "failed") return failWake(seen, reported.reason, look, service);
  if (task?.kind === "waking")
    return decision({ ...seen, message: task.stage === "queued" ? "waits for its turn to wake" : "wakes" }, look.memo);
  // A wake is repeated safely, and is the only way to know of an engine whether it sleeps when the control plane ended in between.
  return decision({ ...seen, message: "wakes" }, look.memo, { actions: [wakeAction(seen, look, service)] });
}

/** Out of every table first, asleep then; needed again meanwhile, it is woken instead: a wake is safe whether or not it slept yet. */
export function decideGoingToSleep(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision {
  const ended = unfit(recorded, look, service);
  if (ended !== null) return ended;
  const seen = withRunning(recorded, look);
  const task = look.task !== null && "generation" in look.task && look.task.generation === recorded.generation ? look.task : null;
  if (task?.kind === "sleeping") return decision({ ...seen, message: "goes to sleep" }, look.memo);
  if (task?.kind === "slept") {
    const memo: InstanceMemo = { ...look.memo, drainingSinceMs: null, heardAtMs: service.nowMs, readySinceMs: null, neededAtMs: null };
    const notes = [{ what: `${seen.name} sleeps.`, why: "Nothing needs it awake." }];
    return decision({ ...seen, state: "Asleep", failedWakes: 0, message: "asleep" }, memo, { notes, lookAgainAfterMs: REST_CHECK_MS });
  }
  if (task?.kind === "sleep-failed") return fenceAndRestart(seen, look, service, `it did not sleep: ${task.reason}`);
  if (look.wish !== "rest") {
    return wake(seen, look, service, { what: `Keeps ${seen.name} awake.`, why: "It is needed again before it slept." });
  }
  const sinceMs = look.memo.drainingSinceMs ?? service.nowMs;
  const memo: InstanceMemo = { ...look.memo, drainingSinceMs: sinceMs };
  if (!service.isAcknowledged) {
    const isLate = service.nowMs - sinceMs > ACKNOWLEDGE_LATE_MS;
    return decision(seen, memo, { lookAgainAfterMs: isLate ? ACKNOWLEDGE_LATE_LOOK_MS : ACKNOWLEDGE_LOOK_MS });
  }
  const sleep: InstanceAction = { type: "sleep", instance: seen.name, generation: seen.generation, endpoint: seen.endpoint ?? "" };
  return decision(seen, memo, { actions: [sleep] });
}

/** It is Ready, or just verified, and nothing needs it. */
export function beginRest(seen: InstanceStatus, memo: InstanceMemo, service: ServiceLook, note: Note): InstanceDecision {
  const next: InstanceStatus = { ...seen, state: "Draining", message: "drains, then sleeps" };
  return decision(next, { ...memo, drainingSinceMs: service.nowMs }, { notes: [note], lookAgainAfterMs: ACKNOWLEDGE_LOOK_MS });
}

/** On its way to sleep, and not to its end. */
export const isGoingToSleep = (recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): boolean =>
  look.desired?.rest === "asleep" && recorded.fingerprint === service.fingerprint && leavingOf(look.placement) === null;

function unfit(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision | null {
  const { running } = look;
  if (running === null) return restart(recorded, look, service);
  if (running.uid !== recorded.uid || running.generation !== recorded.generation) {
    return fenceAndRestart(recorded, look, service, `generation ${running.generation} runs in place of ${recorded.generation}`);
  }
  const lost = recorded.members.find((member) => service.lostGpus.has(gpuKey(member)));
  return lost === undefined ? null : fenceAndRestart(recorded, look, service, `its GPU ${gpuKey(lost)} is lost`);
}

const withRunning = (recorded: InstanceStatus, { running }: InstanceLook): InstanceStatus =>
  running === null ? recorded : { ...recorded, endpoint: running.endpoint, pid: running.pid };

const activationOf = (recorded: InstanceStatus, { activation }: InstanceLook) =>
  activation?.generation === recorded.generation ? activation : null;

function wake(seen: InstanceStatus, look: InstanceLook, service: ServiceLook, note: Note): InstanceDecision {
  const next: InstanceStatus = { ...seen, state: "Waking", message: "wakes" };
  return decision(next, { ...look.memo, drainingSinceMs: null }, { actions: [wakeAction(seen, look, service)], notes: [note] });
}

const wakeNote = ({ name }: InstanceStatus, { desired, isUrgent }: InstanceLook): Note => ({
  what: `Wakes ${name}.`,
  why: isUrgent ? "Nobody else can serve." : desired?.rest === "asleep" ? "Its rung is needed." : "The config asks for it to be awake.",
});

const WOKEN_BECAUSE: Readonly<Record<RungActivated["because"], string>> = {
  lost: "A gateway woke it, for nobody else could serve.",
  saturated: "A gateway woke it, for all that served was full.",
  suspected: "A gateway woke it, for all that served was under suspicion.",
};

/** A gateway verified it already and sends to it: awake for a while, unless the ladder itself was about to wake it for the same loss. */
function ratify(seen: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision {
  const because = look.activation?.because ?? "lost";
  const why = WOKEN_BECAUSE[because];
  const isOwn = seen.state === "Waking" && because === "lost";
  const memo: InstanceMemo = isOwn ? look.memo : { ...look.memo, neededAtMs: service.nowMs };
  return awake(seen, { ...look, memo }, service, why);
}

function awake(seen: InstanceStatus, look: InstanceLook, service: ServiceLook, why: string): InstanceDecision {
  const memo: InstanceMemo = { ...look.memo, readySinceMs: service.nowMs, heardAtMs: service.nowMs, drainingSinceMs: null };
  const next: InstanceStatus = { ...seen, state: "Ready", failedWakes: 0, message: "" };
  return decision(next, memo, { notes: [{ what: `${seen.name} is awake and Ready.`, why }] });
}

/** Never served from; only a whole new start makes it trustworthy again. */
function failWake(seen: InstanceStatus, reason: string, look: InstanceLook, service: ServiceLook): InstanceDecision {
  return fenceAndRestart({ ...seen, failedWakes: seen.failedWakes + 1 }, look, service, `its wake failed: ${reason}`);
}

const wakeAction = (of: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceAction => ({
  type: "wake",
  instance: of.name,
  generation: of.generation,
  endpoint: of.endpoint ?? "",
  withinMs: service.wakeWithinMs,
  isUrgent: look.isUrgent,
});
