import { WHOLE_GPU_MILLI, type FleetIndex, type PlacementShape } from "./fleet-index.ts";
import { LargeStock } from "./large-stock.ts";
import { largestShape, weighedByGpus, type ShapeShare } from "./workload-mix.ts";

// Frozen. Chosen on orders of arrival 1 to 10 of the openb traces, scored on 42 to 51 (docs/placement-bench.md).
/** A fleet that fills up, with room for large requests: they count the less the larger, as it is the small ones that fill the rest. */
const FILLING_POWER = -1;
/** Once that room is short, or others leave: they count the more, a request for eight 64 times, or no node ever becomes whole again. */
const KEEPING_POWER = 2;
/** On a fleet in use, requests for several GPUs make up at most so much of the mix; where they are frequent the power is less. */
const LARGE_SHARE_MAX = 0.6;
const POWER_STEP = 0.25;
/** Requests leave: at least so many of those that came, between two readings of the mix. */
const LEAVING_RATIO = 0.1;
/** So much of what was asked for, by GPU milli, is refused between two readings: large requests are refused whatever is kept for them. */
const OVERFULL_RATIO = 0.08;
const OVERFULL_POWER = 1;

/** By what power of their GPUs requests for several count, as the fleet is now. */
export class LargeWeight {
  readonly #fleet: FleetIndex;
  readonly #stock: LargeStock;
  #isInUse = false;
  #powerInUse = KEEPING_POWER;
  #came = { count: 0, milli: 0 };
  #releasedCount: number;
  #boundMilli: number;

  constructor(fleet: FleetIndex) {
    this.#fleet = fleet;
    this.#stock = new LargeStock(fleet);
    this.#releasedCount = fleet.releasedCount;
    this.#boundMilli = fleet.boundMilli;
  }

  /** Requests leave, so what is taken now will be free again. */
  get isInUse(): boolean {
    return this.#isInUse;
  }

  /** An arrival, once the power for it was asked for. */
  count(shape: PlacementShape): void {
    this.#came.count++;
    this.#came.milli += shape.gpuCount * shape.gpuMilli;
  }

  /** Looks at what came, stayed and left since it was last read. */
  read(shares: readonly ShapeShare[]): void {
    const { releasedCount, boundMilli } = this.#fleet;
    this.#stock.watch(largestShape(shares));
    this.#isInUse = releasedCount - this.#releasedCount >= LEAVING_RATIO * this.#came.count;
    const refusedMilli = this.#came.milli - (boundMilli - this.#boundMilli);
    const isOverfull = refusedMilli >= Math.max(WHOLE_GPU_MILLI, OVERFULL_RATIO * this.#came.milli);
    this.#powerInUse = powerWithin(shares, isOverfull ? OVERFULL_POWER : KEEPING_POWER);
    this.#came = { count: 0, milli: 0 };
    this.#releasedCount = releasedCount;
    this.#boundMilli = boundMilli;
  }

  power(): number {
    const isShort = this.#stock.isShort();
    if (this.#isInUse) return this.#powerInUse;
    return isShort ? KEEPING_POWER : FILLING_POWER;
  }
}

function powerWithin(shares: readonly ShapeShare[], powerMax: number): number {
  const largeShare = (power: number): number =>
    weighedByGpus(shares, power).reduce((sum, { shape, share }) => (shape.gpuCount > 1 ? sum + share : sum), 0);
  let power = powerMax;
  while (power > 0 && largeShare(power) > LARGE_SHARE_MAX) power -= POWER_STEP;
  return power;
}
