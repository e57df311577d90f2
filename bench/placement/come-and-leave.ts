import { seeded } from "../failover/seeded.ts";
import { EarliestFirst } from "./earliest-first.ts";

/** One kind of arrival; kinds are drawn with equal chance. */
export interface Life<Asked> {
  readonly asked: Asked;
  readonly seconds: number;
  /** What it takes, in the unit of the capacity. */
  readonly weight: number;
}

export interface ComeAndLeave<Asked> {
  readonly lives: readonly Life<Asked>[];
  readonly capacity: number;
  /** Weight times seconds that are asked for, of what there is. */
  readonly load: number;
  readonly seed: number;
  readonly warmUpSeconds: number;
  readonly measuredSeconds: number;
  /** Takes a place, for good or until what it returns is called; null = there is none. */
  readonly place: (asked: Asked) => (() => void) | null;
}

export interface ComeAndLeaveOutcome {
  /** Over time, in percent. */
  readonly allocation: number;
  /** The same over the second half less over the first: below zero = it fragments with time. */
  readonly driftPoints: number;
  /** Of the weight asked for, in percent; nothing is asked for twice. */
  readonly rejected: number;
  readonly arrivals: number;
}

interface Standing {
  readonly endSeconds: number;
  readonly weight: number;
  readonly leave: () => void;
}

/** Requests come at random, at the rate that makes the load (Little's law), and leave when their time is over. The same seed asks the same of everybody. */
export function comeAndLeave<Asked>(input: ComeAndLeave<Asked>): ComeAndLeaveOutcome {
  const { lives, capacity, load, seed, place } = input;
  const endSeconds = input.warmUpSeconds + input.measuredSeconds;
  const work = lives.reduce((sum, { weight, seconds }) => sum + weight * seconds, 0) / lives.length;
  const perSecond = (load * capacity) / work;
  const random = seeded(seed);
  const standing = new EarliestFirst<Standing>();
  const meter = new Meter(capacity, input);
  for (let nowSeconds = 0; ;) {
    nowSeconds -= Math.log(1 - random()) / perSecond;
    if (nowSeconds > endSeconds) break;
    for (let ended = standing.takeUntil(nowSeconds); ended !== null; ended = standing.takeUntil(nowSeconds)) {
      meter.change(ended.endSeconds, -ended.weight);
      ended.leave();
    }
    const life = lives[Math.floor(random() * lives.length)];
    if (life === undefined) break;
    const leave = place(life.asked);
    meter.ask(nowSeconds, life.weight, leave !== null);
    if (leave === null) continue;
    meter.change(nowSeconds, life.weight);
    standing.add({ endSeconds: nowSeconds + life.seconds, weight: life.weight, leave });
  }
  return meter.read();
}

interface Span {
  readonly warmUpSeconds: number;
  readonly measuredSeconds: number;
}

/** Allocated weight over time, in the two halves of the measured time. */
class Meter {
  readonly #capacity: number;
  readonly #span: Span;
  readonly #weightSeconds: [number, number] = [0, 0];
  #allocated = 0;
  #atSeconds = 0;
  #asked = 0;
  #rejected = 0;
  #arrivals = 0;

  constructor(capacity: number, span: Span) {
    this.#capacity = capacity;
    this.#span = span;
  }

  change(nowSeconds: number, byWeight: number): void {
    const { warmUpSeconds, measuredSeconds } = this.#span;
    const half = warmUpSeconds + measuredSeconds / 2;
    const within = (from: number, to: number): number => Math.max(0, Math.min(to, nowSeconds) - Math.max(from, this.#atSeconds));
    this.#weightSeconds[0] += this.#allocated * within(warmUpSeconds, half);
    this.#weightSeconds[1] += this.#allocated * within(half, warmUpSeconds + measuredSeconds);
    this.#atSeconds = nowSeconds;
    this.#allocated += byWeight;
  }

  ask(nowSeconds: number, weight: number, isPlaced: boolean): void {
    this.#arrivals++;
    if (nowSeconds < this.#span.warmUpSeconds) return;
    this.#asked += weight;
    if (!isPlaced) this.#rejected += weight;
  }

  read(): ComeAndLeaveOutcome {
    const { warmUpSeconds, measuredSeconds } = this.#span;
    this.change(warmUpSeconds + measuredSeconds, 0);
    const [first, second] = this.#weightSeconds.map((sum) => (100 * sum) / (this.#capacity * (measuredSeconds / 2)));
    return {
      allocation: ((first ?? 0) + (second ?? 0)) / 2,
      driftPoints: (second ?? 0) - (first ?? 0),
      rejected: (100 * this.#rejected) / this.#asked,
      arrivals: this.#arrivals,
    };
  }
}
