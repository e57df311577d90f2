import { err, ok, type Result } from "../base/result.ts";
import type { EngineKind, ModelSpec } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { wakeRequests } from "../wire/dialect.ts";
import { callEngine, type EnginePorts } from "./call-engine.ts";
import { explainProbe, readProgress, readSleepState } from "./probe-instance.ts";
import { explainVerify, verifyInstance } from "./verify-instance.ts";

export type WakeError =
  | { readonly code: "CANNOT_SLEEP"; readonly engine: EngineKind }
  | { readonly code: "NOT_AWAKE"; readonly reason: string }
  | { readonly code: "WRONG_AFTER_WAKE"; readonly reason: string };

const WAKE_POLL_MS = 25;
const STATE_TIMEOUT_MS = 1_000;
/** Engines write their counters a moment after the answer. */
const PROGRESS_LAG_MAX_MS = 500;
const PAGE_TIMEOUT_MS = 250;

/**
 * Wakes a sleeping engine. It is done only when the engine says that it is awake, gives the known answer, and its step counter moved
 * during it: a 200 alone is no proof. Safe for two callers at once: one that is awake already is only verified.
 * @returns the known answer.
 */
export async function wakeInstance(
  ports: EnginePorts,
  sleeper: {
    readonly address: EndpointAddress;
    readonly engine: EngineKind;
    readonly model: Pick<ModelSpec, "name">;
    readonly expected: string | null;
  },
  withinMs: number,
  signal: AbortSignal,
): Promise<Result<string, WakeError>> {
  const steps = wakeRequests(sleeper.engine);
  if (steps === null) return err({ code: "CANNOT_SLEEP", engine: sleeper.engine });
  const deadlineMs = ports.clock.monotonicMs() + withinMs;
  const leftMs = (): number => Math.max(1, deadlineMs - ports.clock.monotonicMs());
  // Its counter stands still while it sleeps, so it is read along with its state: a wake waits for nothing that it need not.
  const [isAsleep, before] = await Promise.all([
    readSleepState(ports, sleeper, STATE_TIMEOUT_MS, signal),
    readProgress(ports, sleeper, Math.min(leftMs(), STATE_TIMEOUT_MS), signal),
  ]);
  if (!isAsleep.ok || isAsleep.value !== false) {
    for (const step of steps) {
      const answer = await callEngine(ports, sleeper.address, step, { timeoutMs: leftMs() }, signal);
      if (!answer.ok) return err({ code: "NOT_AWAKE", reason: explainProbe(answer.error) });
      if (answer.value.status !== 200) return err({ code: "NOT_AWAKE", reason: `the wake answers ${answer.value.status}` });
    }
    if (!(await saysAwake(ports, sleeper, deadlineMs, signal)))
      return err({ code: "NOT_AWAKE", reason: "it does not say that it is awake" });
  }
  const verified = await verifyInstance(ports, sleeper, leftMs(), signal);
  if (!verified.ok) return err({ code: "WRONG_AFTER_WAKE", reason: explainVerify(verified.error) });
  // The counter may only contradict the answer, and only by a page that was read: an engine without one, or whose page cannot be read
  // before or after, is proved by its answer alone.
  const stepsBefore = before.ok ? (before.value?.steps ?? null) : null;
  const untilMs = Math.min(deadlineMs, ports.clock.monotonicMs() + PROGRESS_LAG_MAX_MS);
  if (stepsBefore !== null && (await readMovement(ports, sleeper, { stepsBefore, untilMs }, signal)) === "still") {
    return err({ code: "WRONG_AFTER_WAKE", reason: "it answers, but its steps stand still" });
  }
  return ok(verified.value);
}

export function explainWake(error: WakeError): string {
  return error.code === "CANNOT_SLEEP" ? `${error.engine} cannot sleep or wake on demand` : error.reason;
}

type Sleeper = { readonly address: EndpointAddress; readonly engine: EngineKind };

/** An engine that has no such question is believed; one that has it must say so. */
async function saysAwake(ports: EnginePorts, of: Sleeper, deadlineMs: number, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const state = await readSleepState(ports, of, STATE_TIMEOUT_MS, signal);
    if (state.ok && state.value !== true) return true;
    if (ports.clock.monotonicMs() >= deadlineMs) return false;
    await ports.clock.sleep(WAKE_POLL_MS, signal);
  }
  return false;
}

/** @returns `still` or `unread` by the first page that is asked for at or after `untilMs`; `moved` as soon as one says so. */
async function readMovement(
  ports: EnginePorts,
  of: Sleeper,
  limits: { readonly stepsBefore: number; readonly untilMs: number },
  signal: AbortSignal,
): Promise<"moved" | "still" | "unread"> {
  while (!signal.aborted) {
    const isLast = ports.clock.monotonicMs() >= limits.untilMs;
    const after = await readProgress(ports, of, PAGE_TIMEOUT_MS, signal);
    const steps = after.ok ? (after.value?.steps ?? null) : null;
    if (steps !== null && steps > limits.stepsBefore) return "moved";
    if (isLast) return steps === null ? "unread" : "still";
    await ports.clock.sleep(WAKE_POLL_MS, signal);
  }
  return "unread";
}
