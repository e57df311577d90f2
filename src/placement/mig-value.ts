import type { MigRoom } from "../base/ids.ts";
import { MIG_PROFILES, MIG_SHAPES, type MigProfile } from "../api/mig-geometry.ts";
import { placementIndex, roomAfter } from "../api/mig-layout.ts";

/** What is asked for in the thought behind the value. Media engines are asked for too rarely to keep room for. */
const ASKED: readonly MigProfile[] = MIG_PROFILES.filter((profile) => profile !== "1g+me");
const MILLION = 1_000_000;
const UNKNOWN = -2;
const NONE = -1;

// A room has 12 bits: each answer is found once and then looked up. Only what is asked for is worked out.
const values = new Int32Array(4_096).fill(UNKNOWN);
const starts = new Map(MIG_PROFILES.map((profile) => [profile, new Int8Array(4_096).fill(UNKNOWN)]));

/**
 * What a room is worth, in millionths of a compute slice: how many slices are still given until the first refusal when each profile is asked
 * for with equal chance and each is placed best. Exact, not sampled; whole numbers, so that equal rooms are equal. 0 = nothing fits.
 */
export function valueOfRoom(room: MigRoom): number {
  const known = values[room] ?? UNKNOWN;
  if (known !== UNKNOWN) return known;
  let sum = 0;
  for (const profile of ASKED) {
    const start = bestStart(room, profile);
    if (start === null) continue;
    sum += MIG_SHAPES[profile].computeSlices * MILLION + valueAfter(room, profile, start);
  }
  const value = Math.round(sum / ASKED.length);
  values[room] = value;
  return value;
}

/** Where one more of `profile` leaves the most value; of equals the highest start. null = it does not fit. */
export function bestStart(room: MigRoom, profile: MigProfile): number | null {
  const known = starts.get(profile);
  const found = known?.[room] ?? UNKNOWN;
  if (found !== UNKNOWN) return found === NONE ? null : found;
  let best = NONE;
  let bestValue = -1;
  for (const start of MIG_SHAPES[profile].starts) {
    const value = valueAfter(room, profile, start);
    if (value >= bestValue && value >= 0) [best, bestValue] = [start, value];
  }
  if (known !== undefined) known[room] = best;
  return best === NONE ? null : best;
}

/** -1 = it does not fit there. */
function valueAfter(room: MigRoom, profile: MigProfile, start: number): number {
  const next = roomAfter(room, placementIndex({ profile, start }));
  return next === null ? NONE : valueOfRoom(next);
}

/** What one more of `profile` costs a room, in millionths of a slice of value; null = it does not fit. A score: less is better. */
export function valueLost(room: MigRoom, profile: MigProfile): number | null {
  const start = bestStart(room, profile);
  return start === null ? null : valueOfRoom(room) - valueAfter(room, profile, start);
}
