import { MIG_PROFILES, MIG_SHAPES, type MigProfile } from "../api/mig-geometry.ts";
import { placementIndex, roomAfter } from "../api/mig-layout.ts";
import type { MigRoom } from "../base/ids.ts";
import { MigMixValue } from "./mig-mix-value.ts";

// Frozen. Chosen on seeds 1 to 10 of the placement bench, scored on 42 to 51 (docs/placement-bench.md).
/** Of the requests that a GPU has no place for, how many go to another GPU and the next one comes, in a fleet that fills up. */
const FILLING_GOES_ON = 0.7;
/** The same once instances leave: room for large ones is worth more, as small ones find some again and again. */
export const LEAVING_GOES_ON = 0.3;
/** Instances leave: at least so many of those that came, between two readings of the mix. */
const LEAVING_RATIO = 0.1;
/** Requests after which the mix is read for the first time, and how many times more until it is read again. */
const FIRST_READ = 20;
const READ_GROWTH = 1.2;
const MILLION = 1_000_000;

export interface MigOffer {
  readonly start: number;
  /** What the place costs the fleet, in millionths of a compute slice; less is better. */
  readonly cost: number;
}

/**
 * What rooms on the GPUs of a fleet are worth to those who usually ask: compute slices that one GPU still gives when profiles come as they
 * came so far, each where most value is left, until a refusal ends it. `valueOfRoom` is of one GPU, where any refusal does, and of an even mix.
 */
export class MigFleetValue {
  readonly #counts = new Map<MigProfile, number>(MIG_PROFILES.map((profile) => [profile, profile === "1g+me" ? 0 : 1]));
  #mix = new MigMixValue([], { goesOn: FILLING_GOES_ON, unit: "computeSlices" });
  readonly #offers = new Map<number, MigOffer | null>();
  #came = 0;
  #left = 0;
  #readAt = { came: 0, left: 0 };

  constructor() {
    this.#read();
  }

  /** A request, before it is placed; also one that finds no place. */
  observe(profile: MigProfile): void {
    this.#counts.set(profile, (this.#counts.get(profile) ?? 0) + 1);
    this.#came++;
    if (this.#came >= Math.max(FIRST_READ, this.#readAt.came * READ_GROWTH)) this.#read();
  }

  /** An instance is gone. */
  release(): void {
    this.#left++;
  }

  /** The best start on a GPU with this room, the highest of equals, and what it costs; null = it does not fit. */
  offer(room: MigRoom, profile: MigProfile): MigOffer | null {
    const key = room * MIG_PROFILES.length + MIG_PROFILES.indexOf(profile);
    const known = this.#offers.get(key);
    if (known !== undefined) return known;
    let best: MigOffer | null = null;
    for (const start of MIG_SHAPES[profile].starts) {
      const next = roomAfter(room, placementIndex({ profile, start }));
      if (next === null) continue;
      const cost = Math.round(MILLION * (this.valueOf(room) - this.valueOf(next)));
      if (best === null || cost <= best.cost) best = { start, cost };
    }
    this.#offers.set(key, best);
    return best;
  }

  valueOf(room: MigRoom): number {
    return this.#mix.valueOf(room);
  }

  #read(): void {
    const total = [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
    const shares = [...this.#counts].flatMap(([profile, count]) => (count === 0 ? [] : [[profile, count / total] as const]));
    const isLeaving = this.#came > 0 && this.#left - this.#readAt.left >= LEAVING_RATIO * (this.#came - this.#readAt.came);
    this.#mix = new MigMixValue(shares, { goesOn: isLeaving ? LEAVING_GOES_ON : FILLING_GOES_ON, unit: "computeSlices" });
    this.#readAt = { came: this.#came, left: this.#left };
    this.#offers.clear();
  }
}
