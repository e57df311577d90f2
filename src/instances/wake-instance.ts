import { err, ok, type Result } from "../base/result.ts";
import type { EngineKind, ModelSpec } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { sleepStateRequest, wakeRequests } from "../wire/dialect.ts";
import { parseSleepState } from "../wire/parse-known-answer.ts";
import { callEngine, type EnginePorts } from "./call-engine.ts";
import { explainProbe } from "./probe-instance.ts";
import { explainVerify, verifyInstance } from "./verify-instance.ts";

export type WakeError =
  | { readonly code: "CANNOT_SLEEP"; readonly engine: EngineKind }
  | { readonly code: "NOT_AWAKE"; readonly reason: string }
  | { readonly code: "WRONG_AFTER_WAKE"; readonly reason: string };

const WAKE_POLL_MS = 25;
const STATE_TIMEOUT_MS = 1_000;

/**
 * Wakes a sleeping engine and proves it by the known answer: a 200 alone is no proof. Safe for two callers at once:
 * one that is awake already is only verified.
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
  if ((await isSleeping(ports, sleeper, signal)) !== false) {
    for (const step of steps) {
      const answer = await callEngine(ports, sleeper.address, step, { timeoutMs: leftMs() }, signal);
      if (!answer.ok) return err({ code: "NOT_AWAKE", reason: explainProbe(answer.error) });
      if (answer.value.status !== 200) return err({ code: "NOT_AWAKE", reason: `the wake answers ${answer.value.status}` });
    }
    while ((await isSleeping(ports, sleeper, signal)) === true) {
      if (signal.aborted || ports.clock.monotonicMs() >= deadlineMs)
        return err({ code: "NOT_AWAKE", reason: "it says that it still sleeps" });
      await ports.clock.sleep(WAKE_POLL_MS, signal);
    }
  }
  const verified = await verifyInstance(ports, sleeper, leftMs(), signal);
  return verified.ok ? ok(verified.value) : err({ code: "WRONG_AFTER_WAKE", reason: explainVerify(verified.error) });
}

/** null = the engine does not tell. */
async function isSleeping(
  ports: EnginePorts,
  of: { readonly address: EndpointAddress; readonly engine: EngineKind },
  signal: AbortSignal,
): Promise<boolean | null> {
  const question = sleepStateRequest(of.engine);
  if (question === null) return null;
  const answer = await callEngine(ports, of.address, question, { timeoutMs: STATE_TIMEOUT_MS }, signal);
  return answer.ok && answer.value.status === 200 ? parseSleepState(answer.value.text) : null;
}
