import type { InstanceName } from "../base/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";

/** A driver that stands still must not hold up a fence. */
const DRIVER_PATIENCE_MS = 500;

interface Ports {
  readonly driver: Pick<GpuDriver, "observe">;
  readonly clock: Clock;
}

/** Bytes that the driver shows under the instance's name, over all GPUs that are not lost. null = the driver is away. */
export async function heldBytes(ports: Ports, instance: InstanceName): Promise<number | null> {
  const seen = await seeHolds(ports, instance);
  return seen === null ? null : seen.livingBytes + seen.goneBytes;
}

/** The same apart: what a process has that lives, as far as the driver knows, and what is left of dead ones. */
export async function seeHolds(
  ports: Ports,
  instance: InstanceName,
): Promise<{ readonly livingBytes: number; readonly goneBytes: number } | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof seeHolds>>>();
  const timer = ports.clock.after(DRIVER_PATIENCE_MS, () => resolve(null));
  const asked = async (): Promise<Awaited<ReturnType<typeof seeHolds>>> => {
    const observed = await ports.driver.observe();
    if (!observed.ok) return null;
    const holders = observed.value.filter((gpu) => gpu.health === "ok").flatMap((gpu) => gpu.holders);
    const own = holders.filter((holder) => holder.instance === instance);
    const goneBytes = own.reduce((sum, { state, usedBytes }) => sum + (state === "gone" ? usedBytes : 0), 0);
    return { goneBytes, livingBytes: own.reduce((sum, { usedBytes }) => sum + usedBytes, 0) - goneBytes };
  };
  asked().then(resolve, reject);
  try {
    return await promise;
  } finally {
    timer.cancel();
  }
}
