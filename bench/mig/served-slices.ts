import { EMPTY_ROOM, placementIndex, roomAfter, roomBefore } from "../../src/api/mig-layout.ts";
import { MIG_PROFILES, MIG_SHAPES, type MigProfile } from "../../src/api/mig-geometry.ts";
import { bestStart } from "../../src/placement/mig-value.ts";
import type { MigRoom } from "../../src/base/ids.ts";

/** Where one more profile goes, or null. */
export type PlacementRule = (room: MigRoom, profile: MigProfile) => number | null;
export type Mix = Readonly<Partial<Record<MigProfile, number>>>;

const startsIn = (room: MigRoom, profile: MigProfile): readonly number[] =>
  MIG_SHAPES[profile].starts.filter((start) => roomAfter(room, placementIndex({ profile, start })) !== null);

export const RULES: Readonly<Record<"value" | "by profile" | "first", PlacementRule>> = {
  value: bestStart,
  // A fixed rule that others use: 2g and 4g from the low end, all others from the high end.
  "by profile": (room, profile) => startsIn(room, profile).at(profile === "2g" || profile === "4g" ? 0 : -1) ?? null,
  first: (room, profile) => startsIn(room, profile)[0] ?? null,
};

/** Percent of a kind of request; what is left out is never asked for. */
export const MIXES: Readonly<Record<string, Mix>> = {
  even: { "1g": 20, "1g-double": 20, "2g": 20, "3g": 20, "4g": 10, "7g": 10 },
  small: { "1g": 35, "1g-double": 10, "2g": 30, "3g": 20, "4g": 5 },
  large: { "1g": 10, "2g": 30, "3g": 40, "4g": 10, "7g": 10 },
};

/**
 * Part of the asked compute slices that one GPU gives, 0..1: a request each tick, which stays for 1 to 8 ticks; refused ones go away.
 * The same seed asks the same of every rule.
 */
export function servedSlices(rule: PlacementRule, mix: Mix, draw: (below: number) => number): number {
  const profiles = MIG_PROFILES.flatMap((profile) => Array.from({ length: mix[profile] ?? 0 }, () => profile));
  let room = EMPTY_ROOM;
  let held: readonly { readonly index: number; readonly until: number }[] = [];
  let asked = 0;
  let given = 0;
  for (let tick = 0; tick < 50_000; tick += 1) {
    for (const { index, until } of held) if (until <= tick) room = roomBefore(room, index);
    held = held.filter(({ until }) => until > tick);
    const profile = profiles[draw(profiles.length)] ?? "1g";
    const until = tick + 1 + draw(8);
    asked += MIG_SHAPES[profile].computeSlices;
    const start = rule(room, profile);
    if (start === null) continue;
    const index = placementIndex({ profile, start });
    room = roomAfter(room, index) ?? room;
    held = [...held, { index, until }];
    given += MIG_SHAPES[profile].computeSlices;
  }
  return given / asked;
}
