import type { MonotonicMs, ServiceName } from "../base/ids.ts";
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
  /**
   * @param places all that the look at this service judges by; of others nothing is said.
   * @returns null = the driver did not answer in time: nothing is known to be wrong.
   */
  troubled(service: ServiceName, places: readonly GpuPlace[]): Promise<TroubledGpus | null>;
}

type GpuPlace = Pick<ObservedGpu, "node" | "gpu">;

/** A dead engine is restarted without the driver; so long its answer is worth waiting for. */
const PATIENCE_MS = 200;
/** A driver frees the memory of a dead process in about 100 ms. */
const TEARDOWN_USUAL_MS = 300;

const NO_TROUBLE: TroubledGpus = { lost: new Set(), slow: new Set() };

/** A dead process that holds something of a GPU. */
interface Remains {
  readonly pid: number;
  /** When it was first seen so. */
  readonly sinceMs: MonotonicMs;
}
interface Question {
  readonly keys: ReadonlySet<string>;
  readonly answer: Promise<TroubledGpus | null>;
}

/** What is asked about, each GPU once. Plans that change nothing leave the list as it is. */
const distinct = oncePer((places: readonly GpuPlace[]) => {
  const byKey = new Map(places.map((place) => [gpuKey(place), place]));
  return { keys: new Set(byKey.keys()), places: [...byKey.values()] };
});

/** What was seen at those places, and found to be quiet: nothing there becomes worse by waiting. */
interface Quiet {
  readonly gpus: readonly ObservedGpu[];
  readonly trouble: TroubledGpus;
}

/**
 * Fleets have thousands of GPUs, and a service stands on a few: only of those is asked. One question at a time for each service; a late answer
 * serves its next look, if that asks of nothing else.
 */
export function createGpuWatch(ports: { readonly driver: GpuDriver; readonly clock: Clock }): GpuWatch {
  const asked = new Map<ServiceName, Question>();
  const remainsOf = new Map<string, readonly Remains[]>();
  const quiet = new WeakMap<readonly GpuPlace[], Quiet>();

  async function ask(service: ServiceName, places: readonly GpuPlace[]): Promise<TroubledGpus | null> {
    try {
      const observed = await ports.driver.observe(places);
      return observed.ok ? troubleAt(places, observed.value) : null;
    } finally {
      asked.delete(service);
    }
  }

  function troubleAt(places: readonly GpuPlace[], gpus: readonly ObservedGpu[]): TroubledGpus {
    const known = quiet.get(places);
    if (known !== undefined && isSameList(known.gpus, gpus)) return known.trouble;
    const trouble = troubleIn(gpus, ports.clock.monotonicMs());
    if (gpus.some((gpu) => remainsOf.has(gpuKey(gpu)))) quiet.delete(places);
    else quiet.set(places, { gpus, trouble });
    return trouble;
  }

  function troubleIn(gpus: readonly ObservedGpu[], nowMs: MonotonicMs): TroubledGpus {
    const lost = new Set<string>();
    const slow = new Set<string>();
    for (const gpu of gpus) {
      const key = gpuKey(gpu);
      if (gpu.health !== "ok") lost.add(key);
      const before = remainsOf.get(key) ?? [];
      const remains = gpu.holders.flatMap(({ pid, state }): readonly Remains[] =>
        state === "gone" ? [before.find((known) => known.pid === pid) ?? { pid, sinceMs: nowMs }] : [],
      );
      if (remains.length === 0) remainsOf.delete(key);
      else remainsOf.set(key, remains);
      if (remains.some(({ sinceMs }) => nowMs - sinceMs >= TEARDOWN_USUAL_MS)) slow.add(key);
    }
    return { lost, slow };
  }

  function questionOf(service: ServiceName, wanted: readonly GpuPlace[]): Question {
    const { keys, places } = distinct(wanted);
    const open = asked.get(service);
    if (open !== undefined) return [...keys].every((key) => open.keys.has(key)) ? open : { keys: open.keys, answer: NOT_KNOWN };
    const question = { keys, answer: ask(service, places) };
    asked.set(service, question);
    return question;
  }

  return {
    troubled(service, places) {
      if (places.length === 0) return Promise.resolve(NO_TROUBLE);
      const { answer } = questionOf(service, places);
      const { promise, resolve, reject } = Promise.withResolvers<TroubledGpus | null>();
      const timer = ports.clock.after(PATIENCE_MS, () => resolve(null));
      answer.then(resolve, reject).finally(() => timer.cancel());
      return promise;
    },
  };
}

function isSameList(one: readonly ObservedGpu[], other: readonly ObservedGpu[]): boolean {
  return one.length === other.length && one.every((gpu, index) => gpu === other[index]);
}

const NOT_KNOWN: Promise<null> = Promise.resolve(null);
