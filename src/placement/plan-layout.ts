import type { MigLayout, MigRoom } from "../base/ids.ts";
import { err, ok, type Explanation, type Result } from "../base/result.ts";
import { MIG_COMPUTE_SLICES, MIG_MEMORY_SLICES, MIG_PROFILES, MIG_SHAPES, type MigProfile } from "../api/mig-geometry.ts";
import {
  countsOf,
  EMPTY_LAYOUT,
  enumerateLayouts,
  formatLayout,
  isWithin,
  MIG_PLACEMENTS,
  roomOf,
  type MigCounts,
} from "../api/mig-layout.ts";
import { valueOfRoom } from "./mig-value.ts";

/** A proof that there is no such layout: every legal one was looked at. */
export interface NoLayout {
  readonly code: "GEOMETRY";
  readonly counts: MigCounts;
  readonly kept: MigLayout;
  /** Of the counts and what is kept together. */
  readonly neededMemorySlices: number;
  readonly neededComputeSlices: number;
  /** Legal layouts of exactly these profiles; none of them contains what is kept. */
  readonly layoutCount: number;
}

/** All legal layouts by what they consist of; found at the first question, which takes some milliseconds. */
let families: ReadonlyMap<number, readonly MigLayout[]> | null = null;

/**
 * The layout that has `counts` of new instances beside all that is `kept`, with the most value left of those there are.
 * @errors GEOMETRY: there is none. All legal layouts are a few thousand, kept by what they consist of: the answer is a look-up, and exhaustive.
 */
export function planLayout(counts: MigCounts, kept: MigLayout = EMPTY_LAYOUT): Result<MigLayout, NoLayout> {
  const all = sumOfCounts(counts, countsOf(kept));
  const family = layoutsOf(all);
  const fitting = family.filter((layout) => isWithin(kept, layout));
  const [first] = fitting;
  if (first !== undefined) return ok(fitting.reduce(better, first));
  const sum = (slices: "memorySlices" | "computeSlices"): number =>
    MIG_PROFILES.reduce((total, profile) => total + (all[profile] ?? 0) * MIG_SHAPES[profile][slices], 0);
  const needed = { neededMemorySlices: sum("memorySlices"), neededComputeSlices: sum("computeSlices") };
  return err({ code: "GEOMETRY", counts, kept, ...needed, layoutCount: family.length });
}

/** Every legal layout of exactly these profiles. */
export function layoutsOf(counts: MigCounts): readonly MigLayout[] {
  families ??= Map.groupBy(enumerateLayouts(), keyOfLayout);
  return families.get(keyOf(counts)) ?? [];
}

export function sumOfCounts(one: MigCounts, other: MigCounts): MigCounts {
  const sum: Partial<Record<MigProfile, number>> = {};
  for (const profile of MIG_PROFILES) sum[profile] = (one[profile] ?? 0) + (other[profile] ?? 0);
  return sum;
}

/** By a placement's index: what it adds to the key of its layout. */
const weights: readonly number[] = MIG_PLACEMENTS.map(({ profile }) => 8 ** (MIG_PROFILES.length - 1 - MIG_PROFILES.indexOf(profile)));
function keyOfLayout(layout: MigLayout): number {
  let key = 0;
  for (let rest: number = layout; rest !== 0; rest &= rest - 1) key += weights[31 - Math.clz32(rest & -rest)] ?? 0;
  return key;
}

/** No legal layout has more than 7 of anything: one octal digit each, and -1 for what none can have. */
function keyOf(counts: MigCounts): number {
  let key = 0;
  for (const profile of MIG_PROFILES) {
    const count = counts[profile] ?? 0;
    if (!Number.isInteger(count) || count < 0 || count > 7) return -1;
    key = key * 8 + count;
  }
  return key;
}

/** More value left; of equals the one whose instances lie higher, then the one that comes last in canonical order. */
function better(one: MigLayout, other: MigLayout): MigLayout {
  const byValue = valueOfRoom(roomOf(other)) - valueOfRoom(roomOf(one));
  if (byValue !== 0) return byValue > 0 ? other : one;
  const byRoom = memoryBits(roomOf(other)) - memoryBits(roomOf(one));
  return byRoom > 0 || (byRoom === 0 && other > one) ? other : one;
}
const memoryBits = (room: MigRoom): number => room & 0xff;

export function explainNoLayout({ counts, kept, neededMemorySlices, neededComputeSlices, layoutCount }: NoLayout): Explanation {
  const wanted = MIG_PROFILES.flatMap((profile) => ((counts[profile] ?? 0) === 0 ? [] : [`${counts[profile]} x ${profile}`])).join(", ");
  const beside = kept === EMPTY_LAYOUT ? "" : ` beside ${formatLayout(kept)}`;
  const all = sumOfCounts(counts, countsOf(kept));
  const tooMany = MIG_PROFILES.filter((profile) => (all[profile] ?? 0) > MIG_SHAPES[profile].maxCount);
  const sums = `Together they need ${neededMemorySlices} of ${MIG_MEMORY_SLICES} memory slices and ${neededComputeSlices} of ${MIG_COMPUTE_SLICES} compute slices`;
  const [excess] = tooMany;
  const why =
    neededMemorySlices > MIG_MEMORY_SLICES || neededComputeSlices > MIG_COMPUTE_SLICES
      ? `${sums}.`
      : excess !== undefined
        ? `A GPU takes ${MIG_SHAPES[excess].maxCount} of ${excess}, and this makes ${all[excess]}.`
        : `${sums}, but none of the ${layoutCount} legal layouts of these profiles has ${formatLayout(kept)} where it is.`;
  const next = kept === EMPTY_LAYOUT ? "Ask for less, or spread it over several GPUs." : "Re-partition the GPU, or use another one.";
  return { what: `No layout has ${wanted || "nothing"}${beside}.`, why, next };
}
