import type { InstanceName } from "../base/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";

/** A driver that stands still must not hold up a fence. */
const DRIVER_PATIENCE_MS = 500;

/** Bytes that the driver shows under the instance's name, over all GPUs that are not lost. null = the driver is away. */
export async function heldBytes(
  ports: { readonly driver: Pick<GpuDriver, "observe">; readonly clock: Clock },
  instance: InstanceName,
): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  const timer = ports.clock.after(DRIVER_PATIENCE_MS, () => resolve(null));
  const asked = async (): Promise<number | null> => {
    const observed = await ports.driver.observe();
    if (!observed.ok) return null;
    const holders = observed.value.filter((gpu) => gpu.health === "ok").flatMap((gpu) => gpu.holders);
    return holders.reduce((sum, holder) => sum + (holder.instance === instance ? holder.usedBytes : 0), 0);
  };
  asked().then(resolve, reject);
  try {
    return await promise;
  } finally {
    timer.cancel();
  }
}
