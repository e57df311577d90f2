import type { MonotonicMs } from "../base/ids.ts";
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

/** What is wrong of one GPU, by its place in the list; of most nothing is. */
interface Trouble {
  readonly gpu: string;
  readonly isLost: boolean;
  /** Dead processes that hold something of it. */
  readonly pids: readonly number[];
}

/** Follows what a driver shows. Fleets have thousands of GPUs, and after a change somewhere few of them are other objects: only those are looked at. */
function createSight(): (gpus: readonly ObservedGpu[]) => Iterable<Trouble> {
  let last: readonly ObservedGpu[] = [];
  const troubles = new Map<number, Trouble>();
  return (gpus) => {
    if (gpus.length !== last.length) troubles.clear();
    const isNew = gpus.length !== last.length;
    for (let index = 0; index < gpus.length; index += 1) {
      const gpu = gpus[index];
      if (gpu === undefined || (!isNew && gpu === last[index])) continue;
      const trouble = troubleOf(gpu);
      if (trouble === null) troubles.delete(index);
      else troubles.set(index, trouble);
    }
    last = gpus;
    return troubles.values();
  };
}

function troubleOf(gpu: ObservedGpu): Trouble | null {
  const isLost = gpu.health !== "ok";
  const pids = gpu.holders.flatMap(({ pid, state }) => (state === "gone" ? [pid] : []));
  return isLost || pids.length > 0 ? { gpu: gpuKey(gpu), isLost, pids } : null;
}

/** One question at a time, shared by all looks; a late answer serves the next of them. */
export function createGpuWatch(ports: { readonly driver: GpuDriver; readonly clock: Clock }): GpuWatch {
  let asking: Promise<TroubledGpus | null> | null = null;
  const sight = createSight();
  /** When each dead process was first seen to hold something, by its GPU and pid. */
  let goneSinceMs: ReadonlyMap<string, MonotonicMs> = new Map();

  async function ask(): Promise<TroubledGpus | null> {
    try {
      const observed = await ports.driver.observe();
      if (!observed.ok) return null;
      const troubles = [...sight(observed.value)];
      return { lost: new Set(troubles.filter(({ isLost }) => isLost).map(({ gpu }) => gpu)), slow: slowOf(troubles) };
    } finally {
      asking = null;
    }
  }

  function slowOf(troubles: readonly Trouble[]): ReadonlySet<string> {
    const nowMs = ports.clock.monotonicMs();
    const since = new Map<string, MonotonicMs>();
    const slow = new Set<string>();
    for (const { gpu, pids } of troubles) {
      for (const pid of pids) {
        const firstMs = goneSinceMs.get(`${gpu} ${pid}`) ?? nowMs;
        since.set(`${gpu} ${pid}`, firstMs);
        if (nowMs - firstMs >= TEARDOWN_USUAL_MS) slow.add(gpu);
      }
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
