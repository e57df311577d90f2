import type { InstanceName } from "../base/ids.ts";
import type { EngineKind } from "../api/hot-standby-config.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { Clock } from "../ports/clock.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
import type { EnginePorts } from "./call-engine.ts";
import { seeHolds } from "./held-bytes.ts";
import { readProgress } from "./probe-instance.ts";

/** A drain waits so long for the streams that still run; longer ones are cut, with an error event of their gateway. */
export const DRAIN_MAX_MS = 30_000;
const DRAIN_POLL_MS = 200;
/** A request may be on its way while the engine looks idle: twice in a row counts. */
const IDLE_LOOKS = 2;
const PROGRESS_TIMEOUT_MS = 1_000;
const STOP_GRACE_MS = 2_000;
/** A driver's teardown takes well under a second; a start on bytes that never come back is refused by itself. */
const FREED_MAX_MS = 10_000;
/** Its processes are dead, and the driver is slow: who comes next goes elsewhere rather than to wait longer. */
const GONE_MAX_MS = 1_000;
const FREED_POLL_MS = 25;

/** Lets the engine finish what it has, then ends it. No new request may be sent to it any more. Resolves when its bytes are free. */
export async function drainInstance(
  ports: EnginePorts & { readonly launcher: Pick<EngineLauncher, "remove">; readonly driver: Pick<GpuDriver, "observe"> },
  of: { readonly instance: InstanceName; readonly address: EndpointAddress | null; readonly engine: EngineKind },
  signal: AbortSignal,
): Promise<void> {
  if (of.address !== null) await waitForIdle(ports, { address: of.address, engine: of.engine }, signal);
  await ports.launcher.remove(of.instance, STOP_GRACE_MS);
  await waitUntilFreed(ports, of.instance, signal);
}

/**
 * Nothing of the instance lives on when it resolves, and the driver shows no bytes of it any more: who comes next finds them free. Bytes of
 * processes that are known to be dead are waited for only a second. For engines that hang or answer wrongly: no grace. With the driver away the end of the process is enough.
 */
export async function fenceInstance(
  ports: { readonly launcher: Pick<EngineLauncher, "remove">; readonly driver: Pick<GpuDriver, "observe">; readonly clock: Clock },
  instance: InstanceName,
  signal: AbortSignal,
): Promise<void> {
  await ports.launcher.remove(instance, 0);
  await waitUntilFreed(ports, instance, signal);
}

async function waitUntilFreed(
  ports: { readonly driver: Pick<GpuDriver, "observe">; readonly clock: Clock },
  instance: InstanceName,
  signal: AbortSignal,
): Promise<void> {
  const startMs = ports.clock.monotonicMs();
  while (!signal.aborted) {
    const held = await seeHolds(ports, instance);
    if (held === null || held.livingBytes + held.goneBytes === 0) return;
    const isDead = held.livingBytes === 0;
    if (ports.clock.monotonicMs() - startMs >= (isDead ? GONE_MAX_MS : FREED_MAX_MS)) return;
    await ports.clock.sleep(FREED_POLL_MS, signal);
  }
}

/** @returns false when it was never idle within the drain's time, or the wait was cancelled. */
export async function waitForIdle(
  ports: EnginePorts,
  at: { readonly address: EndpointAddress; readonly engine: EngineKind },
  signal: AbortSignal,
): Promise<boolean> {
  const deadlineMs = ports.clock.monotonicMs() + DRAIN_MAX_MS;
  let idleLooks = 0;
  while (!signal.aborted && ports.clock.monotonicMs() < deadlineMs) {
    const progress = await readProgress(ports, at, PROGRESS_TIMEOUT_MS, signal);
    // A dead engine has nothing to finish; one without counters cannot say when it has.
    if (!progress.ok && progress.error.code === "REFUSED") return true;
    const isIdle = progress.ok && (progress.value === null || progress.value.running + progress.value.waiting === 0);
    idleLooks = isIdle ? idleLooks + 1 : 0;
    if (idleLooks >= IDLE_LOOKS) return true;
    await ports.clock.sleep(DRAIN_POLL_MS, signal);
  }
  return false;
}
