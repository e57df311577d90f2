import { oncePer } from "../base/once-per.ts";
import { gpuKey } from "../failover/instance-look.ts";
import type { Clock } from "../ports/clock.ts";
import type { GpuDriver, ObservedGpu } from "../ports/gpu-driver.ts";

/** Which GPUs are lost, or need a reset, which is the same to all who would use them: for looks that must not wait for a driver that is away or stands still. */
export interface GpuWatch {
  /** `node/gpu` of each; null = the driver did not answer in time: nothing is known to be lost. */
  lost(): Promise<ReadonlySet<string> | null>;
}

/** A dead engine is restarted without the driver; so long its answer is worth waiting for. */
const PATIENCE_MS = 200;

const lostOf = oncePer(
  (gpus: readonly ObservedGpu[]): ReadonlySet<string> => new Set(gpus.filter((gpu) => gpu.health !== "ok").map(gpuKey)),
);

/** One question at a time, shared by all looks; a late answer serves the next of them. */
export function createGpuWatch(ports: { readonly driver: GpuDriver; readonly clock: Clock }): GpuWatch {
  let asking: Promise<ReadonlySet<string> | null> | null = null;

  async function ask(): Promise<ReadonlySet<string> | null> {
    try {
      const observed = await ports.driver.observe();
      return observed.ok ? lostOf(observed.value) : null;
    } finally {
      asking = null;
    }
  }

  return {
    lost() {
      asking ??= ask();
      const { promise, resolve, reject } = Promise.withResolvers<ReadonlySet<string> | null>();
      const timer = ports.clock.after(PATIENCE_MS, () => resolve(null));
      asking.then(resolve, reject).finally(() => timer.cancel());
      return promise;
    },
  };
}
