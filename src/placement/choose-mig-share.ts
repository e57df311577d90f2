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
  type MigProfile,
} from "../api/mig-geometry.ts";
import { EMPTY_LAYOUT, formatLayout, roomOf, type MigPlacement } from "../api/mig-layout.ts";
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
  if (card === null) return err({ code: "GEOMETRY_UNKNOWN", why: `No MIG geometry is known of ${gpu.model}.` });
  const layout = gpu.cut?.mode === "mig" ? gpu.cut.layout : EMPTY_LAYOUT;
  const refusals: ModeRefusal[] = [];
  for (const profile of BY_RATIO) {
    const grant = migGrantOf(card, profile);
    if (!grant.ok) {
      const { what, why } = explainUnknownMigFigure(grant.error);
      refusals.push({ code: "GEOMETRY_UNKNOWN", why: `${what} ${why}` });
      continue;
    }
    const { name, memoryBytes } = grant.value;
    if (memoryBytes < needs.memoryBytes) {
      refusals.push({
        code: "NO_CAPACITY",
        why: `It needs ${formatBytes(needs.memoryBytes)}; ${name}, the largest, has ${formatBytes(memoryBytes)}.`,
      });
      continue;
    }
    const slow = tooSlow({ card, profile, leastPercent: needs.leastComputePercent, lossPercent });
    if (slow !== null) {
      refusals.push(slow);
      continue;
    }
    const start = bestStart(roomOf(layout), profile);
    if (start === null) {
      refusals.push({ code: "GEOMETRY", why: `${name} would do, and has no legal start beside ${formatLayout(layout)}.` });
      continue;
    }
    const computePercent = Math.floor(sharePercent(card, profile) ?? (MIG_SHAPES[profile].computeSlices * 100) / MIG_COMPUTE_SLICES);
    const share = { memoryBytes, computePercent, cardRatio: ratioOf(profile), profileName: name };
    return ok({ mode: "mig", placement: { profile, start }, ...share });
  }
  return err(nearest(refusals));
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
  if (share === null) return { code: "GEOMETRY_UNKNOWN", why: `What part of the card's multiprocessors ${name} has is not known.` };
  const left = (share * (100 - lossPercent)) / 100;
  if (left >= leastPercent) return null;
  const parts = `${card.figures[profile].multiprocessors} of ${card.multiprocessors} multiprocessors`;
  const why = `${leastPercent} % of the card's compute are asked; ${name} has ${parts}, ${left.toFixed(1)} % after ${lossPercent} % of loss.`;
  return { code: "PERFORMANCE", why };
}

/** Of what was tried, smallest first: the one that came furthest; the smallest that has no place, else the largest. */
function nearest(refusals: readonly ModeRefusal[]): ModeRefusal {
  const of = (code: ModeRefusal["code"]): readonly ModeRefusal[] => refusals.filter((each) => each.code === code);
  const found = of("GEOMETRY")[0] ?? of("GEOMETRY_UNKNOWN")[0] ?? of("PERFORMANCE").at(-1) ?? of("NO_CAPACITY").at(-1);
  assert(found !== undefined, "each profile that is not taken has a reason");
  return found;
}
