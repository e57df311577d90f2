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

/** A dead process that holds something of a GPU. */
interface Remains {
  readonly pid: number;
  /** When it was first seen so. */
  readonly sinceMs: MonotonicMs;
}
/** What is wrong of one GPU; of most nothing is. */
interface Trouble {
  readonly gpu: string;
  readonly isLost: boolean;
  readonly remains: readonly Remains[];
}

/** Follows what a driver shows. Fleets have thousands of GPUs, and after a change somewhere few of them are other objects: only those are looked at. */
function createSight(): (gpus: readonly ObservedGpu[], nowMs: MonotonicMs) => TroubledGpus {
  let last: readonly ObservedGpu[] = [];
  /** By the place in the list. */
  const troubles = new Map<number, Trouble>();
  let lost: ReadonlySet<string> = new Set();

  function follow(gpus: readonly ObservedGpu[], nowMs: MonotonicMs): void {
    const isNew = gpus.length !== last.length;
    const known = isNew ? new Map([...troubles.values()].map((trouble) => [trouble.gpu, trouble])) : null;
    if (isNew) troubles.clear();
    let hasLost = isNew;
    for (const index of isNew ? gpus.keys() : differingIndexes(gpus, last)) {
      const gpu = gpus[index];
      if (gpu === undefined) continue;
      const before = known === null ? troubles.get(index) : known.get(gpuKey(gpu));
      const trouble = troubleOf(gpu, before ?? null, nowMs);
      hasLost ||= (before?.isLost ?? false) || (trouble?.isLost ?? false);
      if (trouble === null) troubles.delete(index);
      else troubles.set(index, trouble);
    }
    last = gpus;
    if (hasLost) lost = new Set([...troubles.values()].flatMap(({ gpu, isLost }) => (isLost ? [gpu] : [])));
  }

  return (gpus, nowMs) => {
    if (gpus !== last) follow(gpus, nowMs);
    const slow = new Set<string>();
    for (const { gpu, remains } of troubles.values())
      if (remains.some(({ sinceMs }) => nowMs - sinceMs >= TEARDOWN_USUAL_MS)) slow.add(gpu);
    return { lost, slow };
  };
}

/** Of two lists of one length. Of thousands of GPUs at each look: so it does nothing else. */
function differingIndexes(one: readonly ObservedGpu[], other: readonly ObservedGpu[]): readonly number[] {
  const indexes: number[] = [];
  for (let index = 0; index < one.length; index += 1) if (one[index] !== other[index]) indexes.push(index);
  return indexes;
}

function troubleOf(gpu: ObservedGpu, before: Trouble | null, nowMs: MonotonicMs): Trouble | null {
  const isLost = gpu.health !== "ok";
  const remains = gpu.holders.flatMap(({ pid, state }) =>
    state === "gone" ? [before?.remains.find((known) => known.pid === pid) ?? { pid, sinceMs: nowMs }] : [],
  );
  return isLost || remains.length > 0 ? { gpu: gpuKey(gpu), isLost, remains } : null;
}

/** One question at a time, shared by all looks; a late answer serves the next of them. */
export function createGpuWatch(ports: { readonly driver: GpuDriver; readonly clock: Clock }): GpuWatch {
  let asking: Promise<TroubledGpus | null> | null = null;
  const sight = createSight();
  async function ask(): Promise<TroubledGpus | null> {
    try {
      const observed = await ports.driver.observe();
      return observed.ok ? sight(observed.value, ports.clock.monotonicMs()) : null;
    } finally {
      asking = null;
    }
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
