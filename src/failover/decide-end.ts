import type { MonotonicMs } from "../base/ids.ts";
import type { InstanceStatus } from "../api/service-status.ts";
import { beginOrWait, fence } from "./decide-start.ts";
import type { InstanceDecision, InstanceLook, ServiceLook } from "./instance-look.ts";
import { afterEnd, CALM_AFTER_MS, type InstanceMemo } from "./restart-memo.ts";

/** Its process is gone: the next generation, in place. */
export function restart(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook): InstanceDecision {
  const why = look.exit?.generation === recorded.generation ? look.exit.reason : "its process is gone";
  const memo = afterEnd(calmed(look.memo, service, null), service.nowMs);
  const decided = beginOrWait({ ...recorded, message: why }, memo, look, service);
  return { ...decided, notes: [{ what: `${recorded.name} ended.`, why: `Generation ${recorded.generation}: ${why}.` }, ...decided.notes] };
}

/** It runs but must not: killed first, started anew when it is gone. */
export function fenceAndRestart(recorded: InstanceStatus, look: InstanceLook, service: ServiceLook, why: string): InstanceDecision {
  const memo = afterEnd(calmed(look.memo, service, null), service.nowMs);
  const note = { what: `Fences ${recorded.name}.`, why: `Generation ${recorded.generation}: ${why}.` };
  return { ...fence(recorded, memo, look, why), notes: [note] };
}

/** Ready long enough: earlier restarts are forgiven. */
/** @param heardAtMs when an engine said that it is well; null = it did not since. */
export function calmed(memo: InstanceMemo, service: ServiceLook, heardAtMs: MonotonicMs | null): InstanceMemo {
  const readySinceMs = memo.readySinceMs ?? service.nowMs;
  const isCalm = service.nowMs - readySinceMs >= CALM_AFTER_MS;
  return { ...memo, readySinceMs, restarts: isCalm ? 0 : memo.restarts, heardAtMs: heardAtMs ?? memo.heardAtMs };
}
