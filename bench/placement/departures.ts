import { createFleetIndex, releaseShape, type FleetNode, type FleetPlace, type PlacementShape } from "../../src/placement/fleet-index.ts";
import { WorkloadMix } from "../../src/placement/workload-mix.ts";
import { seeded } from "../failover/seeded.ts";
import { milliOf } from "./arrivals.ts";
import { createPolicy, type PolicyName } from "./policies.ts";
import { PODS_PER_NODE_MAX } from "./replay-log.ts";
import type { Trace } from "./read-openb.ts";

/** Longer lives end here: uncapped, one pod in a hundred holds nine tenths of the GPU time, and nothing settles. */
const LIFETIME_MAX_SECONDS = 3_600;
const WARM_UP_SECONDS = 3 * LIFETIME_MAX_SECONDS;
const MEASURED_SECONDS = 3 * LIFETIME_MAX_SECONDS;

export interface DepartureInput {
  readonly nodes: readonly FleetNode[];
  readonly trace: Trace;
  readonly policy: PolicyName;
  /** GPU time asked for, of what the fleet has. */
  readonly load: number;
  readonly seed: number;
}

export interface DepartureOutcome {
  /** Over time, in percent. */
  readonly allocation: number;
  /** The same over the second half less over the first: below zero = it fragments with time. */
  readonly driftPoints: number;
  /** Of the GPU milli asked for, in percent; nothing is asked for twice. */
  readonly rejected: number;
  readonly arrivals: number;
}

interface Standing {
  readonly endSeconds: number;
  readonly shape: PlacementShape;
  readonly place: FleetPlace;
}

/** Pods come at random, shape and lifetime together as in the trace, at the rate that makes the load (Little's law), and leave. */
export function runDepartures({ nodes, trace, policy, load, seed }: DepartureInput): DepartureOutcome {
  const fleet = createFleetIndex(nodes, { boundMax: PODS_PER_NODE_MAX });
  const capacityMilli = fleet.freeMilliOf.reduce((sum, milli) => sum + milli, 0);
  const lives = livesOf(trace);
  const workMilliSeconds = lives.reduce((sum, { shape, seconds }) => sum + milliOf(shape) * seconds, 0) / lives.length;
  const perSecond = (load * capacityMilli) / workMilliSeconds;
  const mix = new WorkloadMix();
  for (const { shape } of lives) mix.add(shape);
  const place = createPolicy(policy, { fleet, shares: mix.shares(0.95), seed });
  const random = seeded(seed);
  const standing = new EarliestFirst();
  const meter = new Meter(capacityMilli);
  for (let nowSeconds = 0; ;) {
    nowSeconds -= Math.log(1 - random()) / perSecond;
    if (nowSeconds > WARM_UP_SECONDS + MEASURED_SECONDS) break;
    for (let ended = standing.takeUntil(nowSeconds); ended !== null; ended = standing.takeUntil(nowSeconds)) {
      meter.change(ended.endSeconds, -milliOf(ended.shape));
      releaseShape(fleet, ended.shape, ended.place);
    }
    const life = lives[Math.floor(random() * lives.length)];
    if (life === undefined) break;
    const chosen = place(life.shape);
    meter.ask(nowSeconds, milliOf(life.shape), chosen !== null);
    if (chosen === null) continue;
    meter.change(nowSeconds, milliOf(life.shape));
    standing.add({ endSeconds: nowSeconds + life.seconds, shape: life.shape, place: chosen });
  }
  return meter.read();
}

function livesOf({ name, pods, lifetimesSeconds }: Trace): readonly { readonly shape: PlacementShape; readonly seconds: number }[] {
  return pods.map((shape, at) => {
    const seconds = lifetimesSeconds[at] ?? null;
    if (seconds === null) throw new Error(`The trace ${name} has no times; departures need them. Use default.`);
    return { shape, seconds: Math.min(Math.max(1, seconds), LIFETIME_MAX_SECONDS) };
  });
}

/** Allocated milli over time, in the two halves of the measured time. */
class Meter {
  readonly #capacityMilli: number;
  readonly #milliSeconds: [number, number] = [0, 0];
  #allocatedMilli = 0;
  #atSeconds = 0;
  #askedMilli = 0;
  #rejectedMilli = 0;
  #arrivals = 0;

  constructor(capacityMilli: number) {
    this.#capacityMilli = capacityMilli;
  }

  change(nowSeconds: number, byMilli: number): void {
    const half = WARM_UP_SECONDS + MEASURED_SECONDS / 2;
    const within = (from: number, to: number): number => Math.max(0, Math.min(to, nowSeconds) - Math.max(from, this.#atSeconds));
    this.#milliSeconds[0] += this.#allocatedMilli * within(WARM_UP_SECONDS, half);
    this.#milliSeconds[1] += this.#allocatedMilli * within(half, WARM_UP_SECONDS + MEASURED_SECONDS);
    this.#atSeconds = nowSeconds;
    this.#allocatedMilli += byMilli;
  }

  ask(nowSeconds: number, milli: number, isPlaced: boolean): void {
    this.#arrivals++;
    if (nowSeconds < WARM_UP_SECONDS) return;
    this.#askedMilli += milli;
    if (!isPlaced) this.#rejectedMilli += milli;
  }

  read(): DepartureOutcome {
    this.change(WARM_UP_SECONDS + MEASURED_SECONDS, 0);
    const [first, second] = this.#milliSeconds.map((sum) => (100 * sum) / (this.#capacityMilli * (MEASURED_SECONDS / 2)));
    return {
      allocation: ((first ?? 0) + (second ?? 0)) / 2,
      driftPoints: (second ?? 0) - (first ?? 0),
      rejected: (100 * this.#rejectedMilli) / this.#askedMilli,
      arrivals: this.#arrivals,
    };
  }
}

/** A binary heap by end. */
class EarliestFirst {
  readonly #heap: Standing[] = [];

  add(entry: Standing): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.endSeconds <= entry.endSeconds) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  /** The next one that ends by then, or null. */
  takeUntil(seconds: number): Standing | null {
    const [first] = this.#heap;
    if (first === undefined || first.endSeconds > seconds) return null;
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(entry: Standing): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const child = right !== undefined && right.endSeconds < left.endSeconds ? 2 * at + 2 : 2 * at + 1;
      const below = heap[child];
      if (below === undefined || below.endSeconds >= entry.endSeconds) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = entry;
  }
}
