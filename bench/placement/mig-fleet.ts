import { MIG_PROFILES, MIG_SHAPES, type MigProfile } from "../../src/api/mig-geometry.ts";
import { EMPTY_ROOM, placementIndex, roomAfter, roomBefore } from "../../src/api/mig-layout.ts";
import type { MigRoom } from "../../src/base/ids.ts";
import { MigFleetValue, type MigOffer } from "../../src/placement/mig-fleet-value.ts";
import type { Mix } from "../mig/served-slices.ts";

/** Where fleets of MIG GPUs put an instance: the cheapest offer, of equals the first GPU's. */
export interface MigPolicy {
  observe(profile: MigProfile): void;
  release(): void;
  /** null = it does not fit there. */
  offer(room: MigRoom, profile: MigProfile): MigOffer | null;
}
type Offer = MigPolicy["offer"];

export const MIG_POLICY_NAMES = ["random", "first-fit", "best-fit", "fgd", "fgd exact", "value"] as const;
export type MigPolicyName = (typeof MIG_POLICY_NAMES)[number];
export const OUR_MIG_POLICY = "value" satisfies MigPolicyName;

/** @param mix only FGD is told it. */
export function createMigPolicy(name: MigPolicyName, mix: Mix, random: () => number): MigPolicy {
  return name === "value"
    ? new MigFleetValue()
    : { observe: () => undefined, release: () => undefined, offer: fixedOffer(name, mix, random) };
}

function fixedOffer(name: Exclude<MigPolicyName, "value">, mix: Mix, random: () => number): Offer {
  switch (name) {
    case "random":
      return (room, profile) => {
        const starts = startsIn(room, profile);
        const start = starts[Math.floor(random() * starts.length)];
        return start === undefined ? null : { cost: random(), start };
      };
    // As a driver that takes devices by name, and the lowest start.
    case "first-fit":
      return remembered((room, profile) => lowest(room, profile, 0));
    case "best-fit":
      return remembered((room, profile) => lowest(room, profile, freeSlices(room)));
    case "fgd":
      return remembered(byFragmentation(mix, (savedSlices) => Math.trunc(100 / (1 + Math.exp(-savedSlices / 8)))));
    case "fgd exact":
      return remembered(byFragmentation(mix, (savedSlices) => Math.round(savedSlices * 1e6)));
  }
}

const startsKnown = new Map<number, readonly number[]>();

function startsIn(room: MigRoom, profile: MigProfile): readonly number[] {
  const key = keyOf(room, profile);
  const known = startsKnown.get(key);
  if (known !== undefined) return known;
  const starts = MIG_SHAPES[profile].starts.filter((start) => roomAfter(room, placementIndex({ profile, start })) !== null);
  startsKnown.set(key, starts);
  return starts;
}

/** A room has 12 bits. */
const keyOf = (room: MigRoom, profile: MigProfile): number => room * MIG_PROFILES.length + MIG_PROFILES.indexOf(profile);

function lowest(room: MigRoom, profile: MigProfile, cost: number): MigOffer | null {
  const [start] = startsIn(room, profile);
  return start === undefined ? null : { cost, start };
}

/** What is known of a room and a profile does not change: there are 12 bits of rooms. */
function remembered(offer: Offer): Offer {
  const known = new Map<number, MigOffer | null>();
  return (room, profile) => {
    const key = keyOf(room, profile);
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    const found = offer(room, profile);
    known.set(key, found);
    return found;
  };
}

/** FGD on one GPU's memory slices: the start, and by its cost the GPU, where the fewest become unusable; the lowest start of equals. */
function byFragmentation(mix: Mix, grade: (savedSlices: number) => number): Offer {
  return (room, profile) => {
    const before = unusableSlices(room, mix);
    let best: MigOffer | null = null;
    for (const start of startsIn(room, profile)) {
      const after = roomAfter(room, placementIndex({ profile, start }));
      if (after === null) continue;
      const cost = -grade(before - unusableSlices(after, mix));
      if (best === null || cost < best.cost) best = { cost, start };
    }
    return best;
  };
}

/** Expected free memory slices that the next request of the mix could not use: those that no legal place of its profile covers. */
export function unusableSlices(room: MigRoom, mix: Mix): number {
  let unusable = 0;
  let total = 0;
  for (const profile of MIG_PROFILES) {
    const share = mix[profile] ?? 0;
    total += share;
    let covered = 0;
    for (const start of startsIn(room, profile)) covered |= ((1 << MIG_SHAPES[profile].memorySlices) - 1) << start;
    unusable += share * bitsOf(~room & 0xff & ~covered);
  }
  return unusable / total;
}

const freeSlices = (room: MigRoom): number => bitsOf(~room & 0xff);

function bitsOf(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** GPUs that are cut as they are asked for; nothing that stands is moved. */
export class MigFleet {
  readonly #rooms: MigRoom[];
  readonly #policy: MigPolicy;

  constructor(gpuCount: number, policy: MigPolicy) {
    this.#rooms = Array.from({ length: gpuCount }, () => EMPTY_ROOM);
    this.#policy = policy;
  }

  /** Takes the cheapest place until what it returns is called; null = there is none. */
  place(profile: MigProfile): (() => void) | null {
    this.#policy.observe(profile);
    let best: { readonly gpu: number; readonly offer: MigOffer } | null = null;
    for (const [gpu, room] of this.#rooms.entries()) {
      const offer = this.#policy.offer(room, profile);
      if (offer !== null && (best === null || offer.cost < best.offer.cost)) best = { gpu, offer };
    }
    if (best === null) return null;
    const { gpu, offer } = best;
    const index = placementIndex({ profile, start: offer.start });
    const after = roomAfter(this.#rooms[gpu] ?? EMPTY_ROOM, index);
    if (after === null) throw new Error(`${profile}@${offer.start} does not fit where the policy put it.`);
    this.#rooms[gpu] = after;
    return () => {
      this.#rooms[gpu] = roomBefore(this.#rooms[gpu] ?? EMPTY_ROOM, index);
      this.#policy.release();
    };
  }
}
