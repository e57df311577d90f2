import { assert } from "../base/assert.ts";
import { migLayout, migRoom, type MigLayout, type MigRoom } from "../base/ids.ts";
import { err, ok, type Explanation, type Result } from "../base/result.ts";
import { MIG_COMPUTE_SLICES, MIG_MEMORY_SLICES, MIG_PROFILES, MIG_SHAPES, type MigProfile } from "./mig-geometry.ts";

export interface MigPlacement {
  readonly profile: MigProfile;
  /** First memory slice, 0..7. */
  readonly start: number;
}
/** How many of each profile; an absent one is none. */
export type MigCounts = Readonly<Partial<Record<MigProfile, number>>>;

const COMPUTE_UNIT = 0x100;
const MEDIA_GIVEN = 0x800;
/** What two placements cannot both have. */
const EXCLUSIVE = 0xff | MEDIA_GIVEN;

/** Every place that a profile can take. Its index is its bit in a MigLayout, and thereby the canonical order. */
export const MIG_PLACEMENTS: readonly MigPlacement[] = MIG_PROFILES.flatMap((profile) =>
  MIG_SHAPES[profile].starts.map((start) => ({ profile, start })),
);
/** By bit: the slices that the placement takes, in the form of a room. */
const takes: readonly number[] = MIG_PLACEMENTS.map(({ profile, start }) => {
  const { memorySlices, computeSlices } = MIG_SHAPES[profile];
  return (((1 << memorySlices) - 1) << start) | (computeSlices * COMPUTE_UNIT) | (profile === "1g+me" ? MEDIA_GIVEN : 0);
});
/** By profile, then by start; -1 = the profile cannot start there. */
const bits = new Map(
  MIG_PROFILES.map((profile) => [
    profile,
    Array.from({ length: 8 }, (_none, start) => MIG_PLACEMENTS.findIndex((place) => place.profile === profile && place.start === start)),
  ]),
);

export const EMPTY_LAYOUT: MigLayout = migLayout(0);
export const EMPTY_ROOM: MigRoom = migRoom(0);

/** The placement's index in MIG_PLACEMENTS, or -1: no card lets the profile start there. */
export const placementIndex = ({ profile, start }: MigPlacement): number => bits.get(profile)?.[start] ?? -1;

/**
 * What is left after one more placement, or null where it does not fit. Legality depends on the room alone. Memory slices and starts decide:
 * they leave no way to more than 7 compute slices.
 */
export function roomAfter(room: MigRoom, index: number): MigRoom | null {
  const taken = takes[index];
  return taken === undefined || (room & taken & EXCLUSIVE) !== 0 ? null : migRoom(room + taken);
}

/** What `room` becomes when the placement at `index`, which stands there, is gone. */
export function roomBefore(room: MigRoom, index: number): MigRoom {
  const taken = takes[index] ?? 0;
  assert((room & taken & 0xff) === (taken & 0xff) && (room & 0x700) >= (taken & 0x700), "only what stands in a room leaves it");
  return migRoom(room - taken);
}

/** Of 7; what no profile can take any more is counted too. */
export const computeSlicesLeft = (room: MigRoom): number => MIG_COMPUTE_SLICES - ((room >> 8) & 7);

/** Of 8; likewise. */
export function memorySlicesLeft(room: MigRoom): number {
  let left = MIG_MEMORY_SLICES;
  for (let taken = room & 0xff; taken !== 0; taken &= taken - 1) left -= 1;
  return left;
}

export function roomOf(layout: MigLayout): MigRoom {
  let room = 0;
  for (let rest: number = layout; rest !== 0; rest &= rest - 1) room += takes[31 - Math.clz32(rest & -rest)] ?? 0;
  return migRoom(room);
}

/** In canonical order: by profile, smallest first, then by start. */
export const placementsOf = (layout: MigLayout): readonly MigPlacement[] => MIG_PLACEMENTS.filter((_place, index) => hasBit(layout, index));
export const holds = (layout: MigLayout, placement: MigPlacement): boolean => hasBit(layout, placementIndex(placement));
const hasBit = (layout: MigLayout, index: number): boolean => index >= 0 && ((layout >> index) & 1) === 1;

/** null = it does not fit, or no card lets the profile start there. */
export function withPlacement(layout: MigLayout, placement: MigPlacement): MigLayout | null {
  const index = placementIndex(placement);
  return roomAfter(roomOf(layout), index) === null ? null : migLayout(layout | (1 << index));
}

/** What is legal stays so with less. */
export const without = (layout: MigLayout, gone: MigLayout): MigLayout => migLayout(layout & ~gone);
export const common = (one: MigLayout, other: MigLayout): MigLayout => migLayout(one & other);
export const isWithin = (part: MigLayout, whole: MigLayout): boolean => (part & ~whole) === 0;

export interface IllegalLayout {
  readonly code: "GEOMETRY";
  /** The first placement that does not fit beside those before it. */
  readonly placement: MigPlacement;
  readonly because: "no-such-start" | "memory-slices-taken" | "media-engines-given";
  readonly before: MigLayout;
}

/** The layout of these placements, in any order. @errors GEOMETRY: two overlap, both want the media engines, or a start is none. */
export function layoutOf(placements: readonly MigPlacement[]): Result<MigLayout, IllegalLayout> {
  let layout = EMPTY_LAYOUT;
  for (const placement of placements) {
    const next = withPlacement(layout, placement);
    if (next === null) return err({ code: "GEOMETRY", placement, because: obstacleTo(layout, placement), before: layout });
    layout = next;
  }
  return ok(layout);
}

export const isLegal = (placements: readonly MigPlacement[]): boolean => layoutOf(placements).ok;

function obstacleTo(layout: MigLayout, placement: MigPlacement): IllegalLayout["because"] {
  const taken = takes[placementIndex(placement)];
  if (taken === undefined) return "no-such-start";
  return (roomOf(layout) & taken & 0xff) !== 0 ? "memory-slices-taken" : "media-engines-given";
}

export function explainIllegalLayout({ placement, because, before }: IllegalLayout): Explanation {
  const { memorySlices, starts } = MIG_SHAPES[placement.profile];
  const why = {
    "no-such-start": `It can start at ${starts.join(", ")} only.`,
    "memory-slices-taken": `It takes memory slices ${placement.start} to ${placement.start + memorySlices - 1}, and some of them are taken.`,
    "media-engines-given": "A GPU has one set of media engines, and they are given.",
  }[because];
  const beside = before === EMPTY_LAYOUT ? "" : ` beside ${formatLayout(before)}`;
  return { what: `${formatPlacement(placement)} does not fit${beside}.`, why, next: "Ask planLayout for a layout of the same profiles." };
}

/** Ascending. */
export function legalStarts(profile: MigProfile, layout: MigLayout): readonly number[] {
  const room = roomOf(layout);
  return MIG_SHAPES[profile].starts.filter((start) => roomAfter(room, placementIndex({ profile, start })) !== null);
}

export function countsOf(layout: MigLayout): MigCounts {
  const counts: Partial<Record<MigProfile, number>> = {};
  for (const { profile } of placementsOf(layout)) counts[profile] = (counts[profile] ?? 0) + 1;
  return counts;
}

/** Every legal layout once, the empty one first; without the media engines 723 of them. */
export function enumerateLayouts(profiles: readonly MigProfile[] = MIG_PROFILES): readonly MigLayout[] {
  const indexes = [...MIG_PLACEMENTS.keys()].filter((index) => profiles.includes(MIG_PLACEMENTS[index]?.profile ?? "7g"));
  const found: MigLayout[] = [];
  const extend = (layout: number, room: MigRoom, after: number): void => {
    found.push(migLayout(layout));
    for (const index of indexes) {
      const next = index <= after ? null : roomAfter(room, index);
      if (next !== null) extend(layout | (1 << index), next, index);
    }
  };
  extend(0, EMPTY_ROOM, -1);
  return found;
}

/** Whether none of `profiles` fits any more. */
export const isMaximal = (layout: MigLayout, profiles: readonly MigProfile[] = MIG_PROFILES): boolean =>
  profiles.every((profile) => legalStarts(profile, layout).length === 0);

/** From bits that were stored; null = not a legal layout. */
export function layoutFromBits(stored: number): MigLayout | null {
  if (!Number.isInteger(stored) || stored < 0 || stored >= 1 << MIG_PLACEMENTS.length) return null;
  const layout = layoutOf(MIG_PLACEMENTS.filter((_place, index) => ((stored >> index) & 1) === 1));
  return layout.ok ? layout.value : null;
}

export const formatPlacement = ({ profile, start }: MigPlacement): string => `${profile}@${start}`;
/** `2g@0 3g@4`; `nothing` for the empty one. */
export const formatLayout = (layout: MigLayout): string => placementsOf(layout).map(formatPlacement).join(" ") || "nothing";
