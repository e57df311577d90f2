import type { PartitionMode } from "../../api/gpu-partition.ts";
import type { MonotonicMs } from "../../base/ids.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ComputeShare, ComputeTerms, ComputeUse } from "../../ports/gpu-account.ts";
import type { ObservedCompute } from "../../ports/gpu-driver.ts";
import { createDeviceMeter, type DeviceMeter } from "./device-meter.ts";
import { gpuKey, type GpuPlace } from "./gpu-losses.ts";

/** How a partition is cut, as far as compute goes. */
export interface ComputeCut {
  readonly mode: PartitionMode;
  readonly computePercent: number;
}

/** How many times as long a step of each takes, in the order of the claims, all of which work on one GPU. */
export type ComputeSlowdowns = (claims: readonly (ComputeCut & { readonly demandRatio: number })[]) => readonly number[];

/** Without a model everybody has the card for itself. */
export const NO_SLOWDOWNS: ComputeSlowdowns = (claims) => claims.map(() => 1);

/** Who works on which GPU, what each is granted of it, and what it took. */
export interface ComputeAccount {
  join(instance: string, gpus: readonly GpuPlace[], told: (terms: ComputeTerms | null) => void): Member;
  /** Some partition there came, went or changed. */
  partitionChanged(at: GpuPlace): void;
}

export interface Member extends ComputeShare {
  /** null = it shares none there, or has not worked yet. */
  useOn(place: GpuPlace): ObservedCompute | null;
}

interface Parts {
  readonly clock: Clock;
  readonly slowdowns: ComputeSlowdowns;
  /** null = no partition of it there. */
  readonly cutOf: (instance: string, place: GpuPlace) => ComputeCut | null;
  /** Somebody told its use of these. */
  readonly changed: (keys: ReadonlySet<string>) => void;
}

/** Terms that differ by less are the same: they are told when they change. */
const SAME_TERMS_RATIO = 0.001;
/** However much one process takes, the driver's own turns leave the others so much of what they should have. */
const STARVED_RATIO = 0.2;

export function createComputeAccount(parts: Parts): ComputeAccount {
  const seats = new Map<string, ReadonlySet<Sharer>>();
  const settle = (keys: Iterable<string>): void => settleGpus(seats, keys, parts);
  const seat = (sharer: Sharer, isIn: boolean): void => {
    for (const key of sharer.keys) {
      const others = [...(seats.get(key) ?? [])].filter((one) => one !== sharer);
      if (isIn || others.length > 0) seats.set(key, new Set(isIn ? [...others, sharer] : others));
      else seats.delete(key);
    }
    settle(sharer.keys);
  };
  return {
    join(instance, gpus, told) {
      const sharer = new Sharer(instance, gpus, parts, told);
      let isIn = true;
      seat(sharer, isIn);
      return {
        tell: (use) => {
          if (!isIn) return;
          const isNews = sharer.tell(use);
          parts.changed(sharer.keys);
          if (isNews) settle(sharer.keys);
        },
        stop: () => {
          if (!isIn) return;
          isIn = false;
          seat(sharer, isIn);
        },
        useOn: (place) => sharer.useOn(place),
      };
    },
    partitionChanged: ({ node, gpu }) => settle([gpuKey(node, gpu)]),
  };
}

class Sharer {
  readonly keys: ReadonlySet<string>;
  readonly #instance: string;
  readonly #places: ReadonlyMap<string, GpuPlace>;
  readonly #parts: Parts;
  readonly #told: (terms: ComputeTerms | null) => void;
  readonly #meters = new Map<string, DeviceMeter>();
  #use: ComputeUse | null = null;
  #terms: ComputeTerms | null = null;

  constructor(instance: string, gpus: readonly GpuPlace[], parts: Parts, told: (terms: ComputeTerms | null) => void) {
    this.#instance = instance;
    this.#places = new Map(gpus.map((place) => [gpuKey(place.node, place.gpu), place]));
    this.keys = new Set(this.#places.keys());
    this.#parts = parts;
    this.#told = told;
  }

  /** null = it has no work, or shares nothing there. */
  claimOn(key: string): (ComputeCut & { readonly demandRatio: number }) | null {
    const cut = this.cutOn(key);
    return cut === null || this.#use?.isBusy !== true ? null : { ...cut, demandRatio: this.#use.demandRatio };
  }

  /** null = the card is its own, or nothing is known of its share. */
  cutOn(key: string): ComputeCut | null {
    const place = this.#places.get(key);
    const cut = place === undefined ? null : this.#parts.cutOf(this.#instance, place);
    return cut === null || cut.mode === "exclusive" ? null : cut;
  }

  /** @returns whether others may be faster or slower for it. */
  tell(use: ComputeUse): boolean {
    const nowMs = this.#parts.clock.monotonicMs();
    const before = this.#use;
    this.#use = use;
    let isNews = before?.isBusy !== use.isBusy || before.demandRatio !== use.demandRatio;
    for (const key of this.keys) {
      if (this.cutOn(key) === null) continue;
      isNews = this.#meterOn(key).report(use, nowMs) || isNews;
    }
    return isNews;
  }

  /** Device time a millisecond that it takes beyond its share; 0 = it keeps to it. */
  takenOn(key: string): number {
    return this.#meters.get(key)?.takenRatio ?? 0;
  }

  useOn({ node, gpu }: GpuPlace): ObservedCompute | null {
    return this.#meters.get(gpuKey(node, gpu))?.shown ?? null;
  }

  entitle(key: string, ratio: number, nowMs: MonotonicMs): void {
    if (ratio > 0 || this.#meters.has(key)) this.#meterOn(key).entitle(ratio, nowMs);
  }

  /** @param slowdownOn of this one on each of its GPUs; nothing for a GPU where it shares nothing. */
  become(slowdownOn: (key: string) => number | null): void {
    const cuts = [...this.keys].flatMap((key) => this.cutOn(key) ?? []);
    const slowdowns = [...this.keys].flatMap((key) => slowdownOn(key) ?? []);
    // Who has no work is told when it has: until then it keeps what it heard last.
    const slowdown = slowdowns.length === 0 ? (this.#terms?.slowdown ?? 1) : Math.max(...slowdowns);
    const terms = cuts.length === 0 ? null : { slowdown, isEnforced: cuts.every(({ mode }) => mode === "mig") };
    if (isSame(this.#terms, terms)) return;
    this.#terms = terms;
    this.#told(terms);
  }

  #meterOn(key: string): DeviceMeter {
    const known = this.#meters.get(key) ?? createDeviceMeter(this.#parts.clock.monotonicMs());
    this.#meters.set(key, known);
    return known;
  }
}

interface Working {
  readonly sharer: Sharer;
  readonly claim: ComputeCut & { readonly demandRatio: number };
}

function settleGpus(seats: ReadonlyMap<string, ReadonlySet<Sharer>>, keys: Iterable<string>, { clock, slowdowns }: Parts): void {
  const nowMs = clock.monotonicMs();
  const concerned = new Set([...keys].flatMap((key) => [...(seats.get(key) ?? [])]));
  // An engine over several GPUs goes as fast as on the slowest: those beside the ones that changed count, too.
  const found = new Map<string, ReadonlyMap<Sharer, number>>();
  for (const key of new Set([...concerned].flatMap((one) => [...one.keys]))) {
    const here = [...(seats.get(key) ?? [])];
    const working = here.flatMap((sharer): readonly Working[] => {
      const claim = sharer.claimOn(key);
      return claim === null ? [] : [{ sharer, claim }];
    });
    const nominal = slowdowns(working.map(({ claim }) => claim));
    const delayed = delayedByTakers(key, working, nominal);
    found.set(key, new Map(working.map(({ sharer }, index) => [sharer, delayed[index] ?? 1])));
    const granted = new Map(working.map(({ sharer, claim }, index) => [sharer, claim.demandRatio / (nominal[index] ?? 1)]));
    for (const sharer of here) sharer.entitle(key, granted.get(sharer) ?? 0, nowMs);
  }
  for (const sharer of concerned) sharer.become((key) => found.get(key)?.get(sharer) ?? null);
}

/** Who takes more than its share takes it from the others: on no card are there more milliseconds than pass. A MIG slice can be taken by nobody. */
function delayedByTakers(key: string, working: readonly Working[], nominal: readonly number[]): readonly number[] {
  const isSoft = ({ claim }: Working): boolean => claim.mode !== "mig" && claim.mode !== "exclusive";
  const taken = working.reduce((sum, one) => (isSoft(one) ? sum + one.sharer.takenOn(key) : sum), 0);
  if (taken === 0) return nominal;
  const keeps = (one: Working): boolean => isSoft(one) && one.sharer.takenOn(key) === 0;
  const asked = working.reduce((sum, one, index) => (keeps(one) ? sum + one.claim.demandRatio / (nominal[index] ?? 1) : sum), 0);
  const leftRatio = asked === 0 ? 1 : Math.min(1, Math.max(STARVED_RATIO, (1 - taken) / asked));
  return working.map((one, index) => (keeps(one) ? (nominal[index] ?? 1) / leftRatio : (nominal[index] ?? 1)));
}

function isSame(one: ComputeTerms | null, other: ComputeTerms | null): boolean {
  if (one === null || other === null) return one === other;
  return one.isEnforced === other.isEnforced && Math.abs(one.slowdown / other.slowdown - 1) <= SAME_TERMS_RATIO;
}
