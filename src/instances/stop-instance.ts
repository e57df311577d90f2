import type { InstanceName } from "../base/ids.ts";
import type { EngineKind } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { EnginePorts } from "./call-engine.ts";
import { readProgress } from "./probe-instance.ts";

/** A drain waits so long for the streams that still run; longer ones are cut, with an error event of their gateway. */
export const DRAIN_MAX_MS = 30_000;
const DRAIN_POLL_MS = 200;
/** A request may be on its way while the engine looks idle: twice in a row counts. */
const IDLE_LOOKS = 2;
const PROGRESS_TIMEOUT_MS = 1_000;
const STOP_GRACE_MS = 2_000;

/** Lets the engine finish what it has, then ends it. No new request may be sent to it any more. Resolves when the process is gone. */
export async function drainInstance(
  ports: EnginePorts & { readonly launcher: Pick<EngineLauncher, "remove"> },
  of: { readonly instance: InstanceName; readonly address: EndpointAddress | null; readonly engine: EngineKind },
  signal: AbortSignal,
): Promise<void> {
  if (of.address !== null) await waitForIdle(ports, { address: of.address, engine: of.engine }, signal);
  await ports.launcher.remove(of.instance, STOP_GRACE_MS);
}

/** Nothing of the instance lives on when it resolves. For engines that hang or answer wrongly: no grace. */
export async function fenceInstance(ports: { readonly launcher: Pick<EngineLauncher, "remove"> }, instance: InstanceName): Promise<void> {
  await ports.launcher.remove(instance, 0);
}

async function waitForIdle(
  ports: EnginePorts,
  at: { readonly address: EndpointAddress; readonly engine: EngineKind },
  signal: AbortSignal,
): Promise<void> {
  const deadlineMs = ports.clock.monotonicMs() + DRAIN_MAX_MS;
  let idleLooks = 0;
  while (!signal.aborted && ports.clock.monotonicMs() < deadlineMs) {
    const progress = await readProgress(ports, at, PROGRESS_TIMEOUT_MS, signal);
    // A dead engine has nothing to finish; one without counters cannot say when it has.
    if (!progress.ok && progress.error.code === "REFUSED") return;
    const isIdle = progress.ok && (progress.value === null || progress.value.running + progress.value.waiting === 0);
    idleLooks = isIdle ? idleLooks + 1 : 0;
    if (idleLooks >= IDLE_LOOKS) return;
    await ports.clock.sleep(DRAIN_POLL_MS, signal);
  }
}
