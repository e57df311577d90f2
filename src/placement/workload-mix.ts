import { fillEvenly } from "./fill-evenly.ts";
import type { PlacementShape } from "./fleet-index.ts";

/** Distinct shapes kept; beyond that the rarer half is forgotten. */
const SHAPES_MAX = 4_096;

/** How often each shape was asked for. */
export class WorkloadMix {
  #entries = new Map<string, { readonly shape: PlacementShape; count: number }>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(shape: PlacementShape): void {
    const key = mixKey(shape);
    const entry = this.#entries.get(key) ?? { shape, count: 0 };
    entry.count++;
    this.#total++;
    this.#entries.set(key, entry);
    if (this.#entries.size > SHAPES_MAX) this.#forgetRarest();
  }

  #forgetRarest(): void {
    const kept = [...this.#entries].toSorted(([, left], [, right]) => right.count - left.count).slice(0, SHAPES_MAX / 2);
    this.#entries = new Map(kept);
    this.#total = kept.reduce((sum, [, { count }]) => sum + count, 0);
  }

  /**
   * Shares that sum to one, most frequent first.
   * @param coverage the most frequent shapes until so much of all requests is covered, 0..1; 1 = all.
   */
  shares(coverage: number): readonly ShapeShare[] {
    const sorted = [...this.#entries.values()].toSorted((left, right) => right.count - left.count);
    const kept: typeof sorted = [];
    let covered = 0;
    for (const entry of sorted) {
      if (covered >= coverage * this.#total) break;
      kept.push(entry);
      covered += entry.count;
    }
    return kept.map(({ shape, count }) => ({ shape, share: count / covered }));
  }
}

/**
 * The same shares with requests of several GPUs counted for more, or for less.
 * @param power of a request's GPUs that it counts for: 0 = as often as it came, 1 = once for each GPU, -1 = a request for eight an eighth.
 */
export function weighedByGpus(shares: readonly ShapeShare[], power: number): readonly ShapeShare[] {
  const weighed = shares.map(({ shape, share }) => ({ shape, share: share * Math.max(1, shape.gpuCount) ** power }));
  const total = weighed.reduce((sum, { share }) => sum + share, 0);
  return weighed.map(({ shape, share }) => ({ shape, share: share / total }));
}

/** Of the shapes with the most GPUs, if those are several, the most frequent. @param shares most frequent first. */
export function largestShape(shares: readonly ShapeShare[]): PlacementShape | null {
  const most = shares.reduce((count, { shape }) => Math.max(count, shape.gpuCount), 0);
  return most < 2 ? null : (shares.find(({ shape }) => shape.gpuCount === most)?.shape ?? null);
}

export interface ShapeShare {
  readonly shape: PlacementShape;
  readonly share: number;
}

/** Memory is left out, as in the paper: it is a filter, not a score. */
function mixKey({ cpuMilli, gpuCount, gpuMilli, models }: PlacementShape): string {
  return `${cpuMilli} ${gpuCount} ${gpuMilli} ${models.join("|")}`;
}

/** The mix as nodes of one model see it, in arrays. Shapes are grouped by the GPU share that they need. */
export interface ModelMix {
  /** Share of requests that can never use a GPU of this model: those without GPUs, and those for other models. */
  readonly foreignShare: number;
  /** Distinct GPU shares that are asked for, ascending. */
  readonly milli: Int32Array;
  readonly milliIndexOf: Uint16Array;
  readonly cpuMilli: Float64Array;
  readonly gpuCount: Uint8Array;
  /** GPU milli of a whole request for each CPU milli of it. */
  readonly gpuMilliPerCpuMilli: Float64Array;
  readonly share: Float64Array;
}

export function mixOfModel(shares: readonly ShapeShare[], model: string): ModelMix {
  const usable = shares.filter(({ shape }) => shape.gpuCount > 0 && (shape.models.length === 0 || shape.models.includes(model)));
  // Requests that differ only in the models they name are one here.
  const merged = new Map<string, { readonly shape: PlacementShape; share: number }>();
  for (const { shape, share } of usable) {
    const key = mixKey({ ...shape, models: [] });
    const entry = merged.get(key) ?? { shape, share: 0 };
    entry.share += share;
    merged.set(key, entry);
  }
  const entries = [...merged.values()];
  const milli = [...new Set(entries.map(({ shape }) => shape.gpuMilli))].toSorted((left, right) => left - right);
  const usableShare = entries.reduce((sum, { share }) => sum + share, 0);
  return {
    foreignShare: shares.reduce((sum, { share }) => sum + share, 0) - usableShare,
    milli: Int32Array.from(milli),
    milliIndexOf: Uint16Array.from(entries, ({ shape }) => milli.indexOf(shape.gpuMilli)),
    cpuMilli: Float64Array.from(entries, ({ shape }) => shape.cpuMilli),
    gpuCount: Uint8Array.from(entries, ({ shape }) => shape.gpuCount),
    gpuMilliPerCpuMilli: Float64Array.from(entries, ({ shape }) => (shape.gpuCount * shape.gpuMilli) / Math.max(1, shape.cpuMilli)),
    share: Float64Array.from(entries, ({ share }) => share),
  };
}

/**
 * For each model, how much of it the requests that name models would take if the whole fleet were asked for, 0..1.
 * @param capacityMilli by model, in the order of `models`.
 */
export function scarcityOfModels(
  shares: readonly ShapeShare[],
  models: readonly string[],
  capacityMilli: readonly number[],
): readonly number[] {
  const totalCapacityMilli = capacityMilli.reduce((sum, milli) => sum + milli, 0);
  const askedMilli = shares.reduce((sum, { shape, share }) => sum + share * shape.gpuCount * shape.gpuMilli, 0);
  const named = new Map<string, { readonly models: readonly number[]; milli: number }>();
  for (const { shape, share } of shares) {
    if (shape.models.length === 0 || shape.gpuCount === 0) continue;
    const entry = named.get(shape.models.join("|")) ?? { models: indexesOf(shape.models, models), milli: 0 };
    entry.milli += (share * shape.gpuCount * shape.gpuMilli * totalCapacityMilli) / askedMilli;
    named.set(shape.models.join("|"), entry);
  }
  return fillEvenly(
    [...named.values()].map(({ models: choices, milli }) => ({ choices, milli })),
    capacityMilli,
  );
}

const indexesOf = (names: readonly string[], models: readonly string[]): readonly number[] =>
  names.map((name) => models.indexOf(name)).filter((index) => index >= 0);
