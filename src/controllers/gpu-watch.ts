import type { MonotonicMs } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import { gpuKey } from "../failover/instance-look.ts";
import type { Clock } from "../ports/clock.ts";
import type { GpuDriver, ObservedGpu } from "../ports/gpu-driver.ts";

/** GPUs that are not to be counted on, `node/gpu` of each. */
export interface TroubledGpus {
  /** Lost, or in need of a reset, which is the same to all who would use them. */
  readonly lost: ReadonlySet<string>;
  /** They still hold what a dead process had, longer than a driver takes to free it. */
  readonly slow: ReadonlySet<string>;
}

/** For looks that must not wait for a driver that is away or stands still. */
export interface GpuWatch {
  /** null = the driver did not answer in time: nothing is known to be wrong. */
  troubled(): Promise<TroubledGpus | null>;
}

/** A dead engine is restarted without the driver; so long its answer is worth waiting for. */
const PATIENCE_MS = 200;
/** A driver frees the memory of a dead process in about 100 ms. */
const TEARDOWN_USUAL_MS = 300;

/** What the last observation says of itself: after each change somewhere it is made anew of all of a fleet's GPUs. */
const sightOf = oncePer((gpus: readonly ObservedGpu[]) => {
  const lost = new Set<string>();
  const gone: { readonly gpu: string; readonly pid: number }[] = [];
  for (const gpu of gpus) {
    if (gpu.health !== "ok") lost.add(gpuKey(gpu));
    for (const { pid, state } of gpu.holders) if (state === "gone") gone.push({ gpu: gpuKey(gpu), pid });
  }
  return { lost, gone };
});

/** One question at a time, shared by all looks; a late answer serves the next of them. */
export function createGpuWatch(ports: { readonly driver: GpuDriver; readonly clock: Clock }): GpuWatch {
  let asking: Promise<TroubledGpus | null> | null = null;
  /** When each dead process was first seen to hold something, by its GPU and pid. */
  let goneSinceMs: ReadonlyMap<string, MonotonicMs> = new Map();

  async function ask(): Promise<TroubledGpus | null> {
    try {
      const observed = await ports.driver.observe();
      if (!observed.ok) return null;
      const { lost, gone } = sightOf(observed.value);
      return { lost, slow: slowOf(gone) };
    } finally {
      asking = null;
    }
  }

  function slowOf(gone: ReturnType<typeof sightOf>["gone"]): ReadonlySet<string> {
    const nowMs = ports.clock.monotonicMs();
    const since = new Map<string, MonotonicMs>();
    const slow = new Set<string>();
    for (const { gpu, pid } of gone) {
      const firstMs = goneSinceMs.get(`${gpu} ${pid}`) ?? nowMs;
      since.set(`${gpu} ${pid}`, firstMs);
      if (nowMs - firstMs >= TEARDOWN_USUAL_MS) slow.add(gpu);
    }
    goneSinceMs = since;
    return slow;
  }

  return {
    troubled() {
      asking ??= ask();
      const { promise, resolve, reject } = Promise.withResolvers<TroubledGpus | null>();
      const timer = ports.clock.after(PATIENCE_MS, () => resolve(null));
      asking.then(resolve, reject).finally(() => timer.cancel());
      return promise;
    },
  };
}
