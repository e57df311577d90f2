import type { Clock } from "../../ports/clock.ts";
import { findByEnvironment, isAlive, type ProcessIdentity } from "./process-identity.ts";

const LOOK_EACH_MS = 10;
const NEVER = new AbortController().signal;

/**
 * TERM to the group, KILL after `graceMs` (0 = at once); KILL also ends what is stopped.
 * Then ends what the process left behind: those that inherited the mark from it. Resolves when all are gone.
 */
export async function endProcess(
  leader: ProcessIdentity,
  how: { readonly graceMs: number; readonly mark: { readonly name: string; readonly value: string }; readonly clock: Clock },
): Promise<void> {
  if (how.graceMs > 0) {
    signalGroup(leader, "SIGTERM");
    await untilGone(leader, { clock: how.clock, limitMs: how.graceMs });
  }
  while (isAlive(leader)) {
    signalGroup(leader, "SIGKILL");
    await untilGone(leader, { clock: how.clock, limitMs: 1_000 });
  }
  for (const left of await findByEnvironment(how.mark.name, how.mark.value)) {
    if (left.value !== how.mark.value) continue;
    if (isAlive(left)) signal(left.pid, "SIGKILL");
    await untilGone(left, { clock: how.clock, limitMs: 1_000 });
  }
}

/** @returns whether it went within the limit. */
async function untilGone(who: ProcessIdentity, within: { readonly clock: Clock; readonly limitMs: number }): Promise<boolean> {
  const startedAt = within.clock.monotonicMs();
  while (isAlive(who)) {
    if (within.clock.monotonicMs() - startedAt >= within.limitMs) return false;
    await within.clock.sleep(LOOK_EACH_MS, NEVER);
  }
  return true;
}

/** The leader is looked at just before, so that the number is still its own. */
function signalGroup(leader: ProcessIdentity, name: "SIGTERM" | "SIGKILL"): void {
  if (isAlive(leader)) signal(-leader.pid, name);
}

/** To a process (or, negative, a group) that may have ended a moment ago. */
export function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch (cause) {
    // Gone in between: what was wanted.
    if (!(cause instanceof Error && "code" in cause && cause.code === "ESRCH")) throw cause;
  }
}
