import { MIG_SHAPES, type MigProfile } from "../api/mig-geometry.ts";
import { placementIndex, roomAfter } from "../api/mig-layout.ts";
import type { MigRoom } from "../base/ids.ts";

const ROOMS = 4_096;

/**
 * What a room is worth to a mix: slices that one GPU still gives when profiles come by their shares, each where most value is left,
 * until a refusal ends it.
 */
export class MigMixValue {
  readonly #values = new Float64Array(ROOMS).fill(Number.NaN);
  readonly #shares: readonly (readonly [profile: MigProfile, share: number])[];
  readonly #goesOn: number;
  readonly #unit: "computeSlices" | "memorySlices";

  /** @param goesOn of the requests that the GPU has no place for, how many end nothing: they go to another GPU. 0..1. @param unit of the value. */
  constructor(
    shares: readonly (readonly [profile: MigProfile, share: number])[],
    { goesOn, unit }: { readonly goesOn: number; readonly unit: "computeSlices" | "memorySlices" },
  ) {
    this.#shares = shares;
    this.#unit = unit;
    this.#goesOn = goesOn;
  }

  /** In slices; 0 = nothing that is asked for fits. */
  valueOf(room: MigRoom): number {
    const known = this.#values[room] ?? 0;
    if (!Number.isNaN(known)) return known;
    let sum = 0;
    let refused = 0;
    for (const [profile, share] of this.#shares) {
      const best = this.#bestAfter(room, profile);
      if (best === null) refused += share;
      else sum += share * (MIG_SHAPES[profile][this.#unit] + best);
    }
    // With a share r refused: value = sum + goesOn r value.
    const value = sum / (1 - this.#goesOn * refused);
    this.#values[room] = value;
    return value;
  }

  #bestAfter(room: MigRoom, profile: MigProfile): number | null {
    let best: number | null = null;
    for (const start of MIG_SHAPES[profile].starts) {
      const next = roomAfter(room, placementIndex({ profile, start }));
      if (next !== null) best = Math.max(best ?? 0, this.valueOf(next));
    }
    return best;
  }
}
