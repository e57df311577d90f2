import { assert } from "../base/assert.ts";
import { formatBytes } from "../base/bytes.ts";
import { err, ok, type Result } from "../base/result.ts";
import {
  explainUnknownMigFigure,
  MIG_COMPUTE_SLICES,
  MIG_MEMORY_SLICES,
  MIG_PROFILES,
  MIG_SHAPES,
  migGpuOf,
  migGrantOf,
  type MigGpu,
  type MigGrant,
  type MigProfile,
} from "../api/mig-geometry.ts";
import { EMPTY_LAYOUT, formatLayout, formatPlacement, roomOf, withPlacement, type MigPlacement } from "../api/mig-layout.ts";
import { bestStart } from "./mig-value.ts";
import type { CandidateGpu, ModeRefusal, PartitionRequirements, PartitionShare } from "./partition-requirements.ts";

export interface MigShare extends PartitionShare {
  readonly mode: "mig";
  readonly placement: MigPlacement;
  /** On this card, as in `2g.20gb`. */
  readonly profileName: string;
}

/** Of the card, by the scarcer of its slices. */
const ratioOf = (profile: MigProfile): number =>
  Math.max(MIG_SHAPES[profile].memorySlices / MIG_MEMORY_SLICES, MIG_SHAPES[profile].computeSlices / MIG_COMPUTE_SLICES);
/** Media engines are given to nobody who does not ask for them. */
const BY_RATIO = MIG_PROFILES.filter((profile) => profile !== "1g+me").toSorted((one, other) => ratioOf(one) - ratioOf(other));

interface Question {
  readonly needs: PartitionRequirements;
  readonly gpu: CandidateGpu;
  readonly lossPercent: number;
}

/** The smallest profile that is large and fast enough, where it leaves the most value. @errors with what the nearest profile lacks. */
export function chooseMigShare({ needs, gpu, lossPercent }: Question): Result<MigShare, ModeRefusal> {
  const card = migGpuOf(gpu.model);
  if (card === null) return err({ code: "GEOMETRY_UNKNOWN", why: () => `No MIG geometry is known of ${gpu.model}.` });
  const layout = gpu.cut?.mode === "mig" ? gpu.cut.layout : EMPTY_LAYOUT;
  const refusals: ModeRefusal[] = [];
  for (const profile of BY_RATIO) {
    const grant = sufficient(profile, card, { needs, gpu, lossPercent });
    if (!grant.ok) {
      refusals.push(grant.error);
      continue;
    }
    const start = bestStart(roomOf(layout), profile);
    if (start !== null) return ok(shareAt({ profile, start }, card, grant.value));
    const { name } = grant.value;
    refusals.push({ code: "GEOMETRY", why: () => `${name} would do, and has no legal start beside ${formatLayout(layout)}.` });
  }
  return err(nearest(refusals));
}

/** The smallest profile that is large and fast enough, room or not. */
export function smallestProfile(card: MigGpu, question: Question): Result<MigProfile, ModeRefusal> {
  const refusals: ModeRefusal[] = [];
  for (const profile of BY_RATIO) {
    const grant = sufficient(profile, card, question);
    if (grant.ok) return ok(profile);
    refusals.push(grant.error);
  }
  return err(nearest(refusals));
}

/** The share of an instance that has its place already, where that is still enough. `gpu` is without it. */
export function keepMigShare(placement: MigPlacement, { needs, gpu, lossPercent }: Question): Result<MigShare, ModeRefusal> {
  const card = migGpuOf(gpu.model);
  if (card === null) return err({ code: "GEOMETRY_UNKNOWN", why: () => `No MIG geometry is known of ${gpu.model}.` });
  const layout = gpu.cut?.mode === "mig" ? gpu.cut.layout : EMPTY_LAYOUT;
  const grant = sufficient(placement.profile, card, { needs, gpu, lossPercent });
  if (!grant.ok) return grant;
  if (withPlacement(layout, placement) !== null) return ok(shareAt(placement, card, grant.value));
  return err({ code: "GEOMETRY", why: () => `${formatPlacement(placement)} does not fit beside ${formatLayout(layout)}.` });
}

function shareAt(placement: MigPlacement, card: MigGpu, { name, memoryBytes }: MigGrant): MigShare {
  const { profile } = placement;
  const computePercent = Math.floor(sharePercent(card, profile) ?? (MIG_SHAPES[profile].computeSlices * 100) / MIG_COMPUTE_SLICES);
  return { mode: "mig", placement, memoryBytes, computePercent, cardRatio: ratioOf(profile), profileName: name };
}

/** What the profile gives, if that is enough. */
function sufficient(profile: MigProfile, card: MigGpu, { needs, gpu, lossPercent }: Question): Result<MigGrant, ModeRefusal> {
  const grant = migGrantOf(card, profile);
  if (!grant.ok) {
    const why = (): string => {
      const told = explainUnknownMigFigure(grant.error);
      return `${told.what} ${told.why}`;
    };
    return err({ code: "GEOMETRY_UNKNOWN", why });
  }
  const { name } = grant.value;
  // A card is planned with the memory that its node states, which rounds down what is there: its parts make no more than the whole.
  const memoryBytes = Math.min(
    grant.value.memoryBytes,
    Math.floor((gpu.memoryBytes * MIG_SHAPES[profile].memorySlices) / MIG_MEMORY_SLICES),
  );
  if (memoryBytes < needs.memoryBytes) {
    const why = (): string => `It needs ${formatBytes(needs.memoryBytes)}; ${name}, the largest, has ${formatBytes(memoryBytes)}.`;
    return err({ code: "NO_CAPACITY", why });
  }
  const slow = tooSlow({ card, profile, leastPercent: needs.leastComputePercent, lossPercent });
  return slow === null ? ok({ ...grant.value, memoryBytes }) : err(slow);
}

/** The profile's part of the card's multiprocessors; null = not known. */
function sharePercent({ multiprocessors, figures }: MigGpu, profile: MigProfile): number | null {
  const own = figures[profile].multiprocessors;
  return own === null || multiprocessors === null ? null : (own * 100) / multiprocessors;
}

function tooSlow(of: {
  readonly card: MigGpu;
  readonly profile: MigProfile;
  readonly leastPercent: number;
  readonly lossPercent: number;
}): ModeRefusal | null {
  const { card, profile, leastPercent, lossPercent } = of;
  if (leastPercent === 0) return null;
  const { name } = card.figures[profile];
  const share = sharePercent(card, profile);
  if (share === null) return { code: "GEOMETRY_UNKNOWN", why: () => `What part of the card's multiprocessors ${name} has is not known.` };
  const left = (share * (100 - lossPercent)) / 100;
  if (left >= leastPercent) return null;
  const parts = (): string => `${card.figures[profile].multiprocessors} of ${card.multiprocessors} multiprocessors`;
  const why = (): string =>
    `${leastPercent} % of the card's compute are asked; ${name} has ${parts()}, ${left.toFixed(1)} % after ${lossPercent} % of loss.`;
  return { code: "PERFORMANCE", why };
}

/** Of what was tried, smallest first: the one that came furthest; the smallest that has no place, else the largest. */
function nearest(refusals: readonly ModeRefusal[]): ModeRefusal {
  const of = (code: ModeRefusal["code"]): readonly ModeRefusal[] => refusals.filter((each) => each.code === code);
  const found = of("GEOMETRY")[0] ?? of("GEOMETRY_UNKNOWN")[0] ?? of("PERFORMANCE").at(-1) ?? of("NO_CAPACITY").at(-1);
  assert(found !== undefined, "each profile that is not taken has a reason");
  return found;
}
