import { err, ok, type Result } from "../base/result.ts";
import type { InstanceName } from "../base/ids.ts";
import type { EngineKind } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
import { sleepRequests } from "../wire/dialect.ts";
import { callEngine, type EnginePorts } from "./call-engine.ts";
import { heldBytes } from "./held-bytes.ts";
import { explainProbe, readSleepState } from "./probe-instance.ts";
import { waitForIdle } from "./stop-instance.ts";

export type SleepError =
  | { readonly code: "CANNOT_SLEEP"; readonly engine: EngineKind }
  /** It still had work when the drain's time was over: to put it to sleep now would crash it. */
  | { readonly code: "BUSY" }
  | { readonly code: "NOT_ASLEEP"; readonly reason: string }
  | { readonly code: "MEMORY_NOT_FREE" }
  | { readonly code: "SLEEP_CANCELLED" };

const CALL_TIMEOUT_MS = 10_000;
const STATE_TIMEOUT_MS = 1_000;
/** An engine may answer before its memory is free (slime#579). */
const READ_BACK_MAX_MS = 5_000;
const READ_BACK_POLL_MS = 50;

/**
 * Lets the engine finish what it has, puts it to sleep, and believes it only when it says so and the driver shows that memory went.
 * No request may be sent to it any more. Repeated on one that sleeps already it does nothing.
 */
export async function sleepInstance(
  ports: EnginePorts & { readonly driver: Pick<GpuDriver, "observe"> },
  of: { readonly instance: InstanceName; readonly address: EndpointAddress; readonly engine: EngineKind },
  signal: AbortSignal,
): Promise<Result<null, SleepError>> {
  const steps = sleepRequests(of.engine);
  if (steps === null) return err({ code: "CANNOT_SLEEP", engine: of.engine });
  const before = await readSleepState(ports, of, STATE_TIMEOUT_MS, signal);
  if (before.ok && before.value === true) return ok(null);
  if (!(await waitForIdle(ports, of, signal))) return signal.aborted ? err({ code: "SLEEP_CANCELLED" }) : err({ code: "BUSY" });
  const heldBefore = await heldBytes(ports, of.instance);
  for (const step of steps) {
    if (signal.aborted) return err({ code: "SLEEP_CANCELLED" });
    const answer = await callEngine(ports, of.address, step, { timeoutMs: CALL_TIMEOUT_MS }, signal);
    if (!answer.ok) return err({ code: "NOT_ASLEEP", reason: explainProbe(answer.error) });
    if (answer.value.status !== 200) return err({ code: "NOT_ASLEEP", reason: `the sleep answers ${answer.value.status}` });
  }
  return readBack(ports, of, heldBefore, signal);
}

export function explainSleep(error: SleepError): string {
  switch (error.code) {
    case "CANNOT_SLEEP":
      return `${error.engine} cannot sleep on demand`;
    case "BUSY":
      return "it still had work to do";
    case "NOT_ASLEEP":
      return error.reason;
    case "MEMORY_NOT_FREE":
      return "it says that it sleeps, but holds its memory";
    case "SLEEP_CANCELLED":
      return "cancelled";
  }
}

async function readBack(
  ports: Parameters<typeof sleepInstance>[0],
  of: Parameters<typeof sleepInstance>[1],
  heldBefore: number | null,
  signal: AbortSignal,
): Promise<Result<null, SleepError>> {
  const deadlineMs = ports.clock.monotonicMs() + READ_BACK_MAX_MS;
  let last: SleepError = { code: "SLEEP_CANCELLED" };
  while (!signal.aborted) {
    const state = await readSleepState(ports, of, STATE_TIMEOUT_MS, signal);
    if (!state.ok) last = { code: "NOT_ASLEEP", reason: explainProbe(state.error) };
    else if (state.value === false) last = { code: "NOT_ASLEEP", reason: "it says that it is awake" };
    else {
      const heldNow = await heldBytes(ports, of.instance);
      // Nothing was seen of it before, or the driver is away: its word is all that there is.
      if (heldBefore === null || heldBefore === 0 || heldNow === null || heldNow < heldBefore) return ok(null);
      last = { code: "MEMORY_NOT_FREE" };
    }
    if (ports.clock.monotonicMs() >= deadlineMs) return err(last);
    await ports.clock.sleep(READ_BACK_POLL_MS, signal);
  }
  return err({ code: "SLEEP_CANCELLED" });
}
