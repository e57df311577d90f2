import { assert } from "../base/assert.ts";
import { migLayout, type MigLayout } from "../base/ids.ts";
import { err, ok, type Explanation, type Result } from "../base/result.ts";
import { MIG_MEMORY_SLICES, MIG_SHAPES, type MigProfile } from "../api/mig-geometry.ts";
import {
  countsOf,
  formatPlacement,
  isWithin,
  layoutOf,
  placementIndex,
  placementsOf,
  roomOf,
  without,
  withPlacement,
} from "../api/mig-layout.ts";
import type { MigCounts } from "../api/mig-layout.ts";
import { valueOfRoom } from "./mig-value.ts";
import { orderRepartition } from "./order-repartition.ts";
import { explainNoLayout, layoutsOf, planLayout, sumOfCounts } from "./plan-layout.ts";
import type { MigTenant, MigUse, MigWish, RepartitionCost, RepartitionPlan, RepartitionRefusal } from "./repartition.ts";

/** Who is moved, who leaves, and the layout after it. */
interface Choice {
  readonly moved: readonly MigTenant[];
  readonly leaving: readonly MigTenant[];
  readonly to: MigLayout;
  readonly cost: RepartitionCost;
}

/**
 * The least disturbance after which the GPU has all `wishes` beside its tenants: fewest hot victims, then warm, then cold, then those that
 * leave the GPU, then milliseconds, then changed MIG instances, then the most value left. Everybody who may not leave gets a new placement.
 * Exhaustive over who is a victim and over all legal layouts. Without a victim it only destroys what nobody uses, and creates.
 * @errors GEOMETRY with the proof: not even with all moved or gone that may be; ILLEGAL_CURRENT.
 */
export function planRepartition(current: readonly MigUse[], wishes: readonly MigWish[]): Result<RepartitionPlan, RepartitionRefusal> {
  const from = layoutOf(current.map(({ placement }) => placement));
  if (!from.ok) return err({ code: "ILLEGAL_CURRENT", placement: from.error.placement });
  const tenants = current
    .flatMap(({ placement, tenancy }) => (tenancy === null ? [] : [{ ...tenancy, placement }]))
    .toSorted((one, other) => placementIndex(one.placement) - placementIndex(other.placement));
  const best = bestChoice(from.value, tenants, wishes);
  if (best !== null) return ok(orderRepartition({ from: from.value, tenants, wishes, ...best }));
  // Nobody fits more than with all pinned tenants in place, all others free to move, and those gone that may leave.
  const pinned = tenants.filter(({ isPinned }) => isPinned);
  const staying = tenants.filter(({ isPinned, mayLeave }) => !isPinned && !mayLeave);
  const proof = planLayout(sumOfCounts(countProfiles(wishes), profilesOf(staying)), layoutBits(pinned));
  assert(!proof.ok, "a layout with everybody moved is among the choices");
  return err({ code: "GEOMETRY", noLayout: proof.error, pinned: pinned.map(({ instance }) => instance) });
}

function bestChoice(from: MigLayout, tenants: readonly MigTenant[], wishes: readonly MigWish[]): Choice | null {
  const wanted = countProfiles(wishes);
  const slices = slicesOf(wishes);
  let best: Choice | null = null;
  for (const { victims, leaving, cost } of disturbances(tenants)) {
    // They come in the order of their cost: what follows is dearer than what was found.
    if (best !== null && compareCost({ ...cost, changeCount: best.cost.changeCount }, best.cost) > 0) break;
    const staying = tenants.filter((tenant) => !leaving.includes(tenant)).map(({ placement }) => placement);
    if (slices + slicesOf(staying) > MIG_MEMORY_SLICES) continue;
    const moved = victims.filter((victim) => !leaving.includes(victim));
    const kept = layoutBits(tenants.filter((tenant) => !victims.includes(tenant)));
    const to = bestLayout(from, kept, sumOfCounts(wanted, profilesOf(moved)));
    if (to === null) continue;
    const choice = { moved, leaving, to, cost: { ...cost, changeCount: changeCount(from, to) } };
    if (best === null || compareChoices(choice, best) < 0) best = choice;
  }
  return best;
}

interface Disturbance {
  readonly victims: readonly MigTenant[];
  readonly leaving: readonly MigTenant[];
  readonly cost: RepartitionCost;
}
/** Everybody who may be a victim or leave, in every combination; the least disturbance first. */
function disturbances(tenants: readonly MigTenant[]): readonly Disturbance[] {
  const all = subsetsOf(tenants.filter(({ isPinned }) => !isPinned)).flatMap((victims) =>
    subsetsOf(victims.filter(({ mayLeave }) => mayLeave)).map((leaving) => ({ victims, leaving, cost: costOf(victims, leaving) })),
  );
  return all.toSorted((one, other) => compareCost(one.cost, other.cost));
}

/** The legal layout with `kept` in its place and `counts` beside it that changes least, then the one that leaves the most value. */
function bestLayout(from: MigLayout, kept: MigLayout, counts: MigCounts): MigLayout | null {
  let best: MigLayout | null = null;
  for (const layout of layoutsOf(sumOfCounts(counts, countsOf(kept)))) {
    if (!isWithin(kept, layout)) continue;
    const to = keepUnused(from, layout);
    if (best === null || compareLayouts(from, { one: to, other: best }) < 0) best = to;
  }
  return best;
}

/** With what stands now and is in nobody's way. It stands together now, so each that fits beside `layout` fits beside the others too. */
function keepUnused(from: MigLayout, layout: MigLayout): MigLayout {
  return placementsOf(without(from, layout)).reduce((all, placement) => withPlacement(all, placement) ?? all, layout);
}

const compareLayouts = (from: MigLayout, { one, other }: { readonly one: MigLayout; readonly other: MigLayout }): number =>
  changeCount(from, one) - changeCount(from, other) || valueOfRoom(roomOf(other)) - valueOfRoom(roomOf(one)) || one - other;

const compareChoices = (one: Choice, other: Choice): number =>
  compareCost(one.cost, other.cost) || valueOfRoom(roomOf(other.to)) - valueOfRoom(roomOf(one.to)) || one.to - other.to;

const compareCost = (one: RepartitionCost, other: RepartitionCost): number =>
  one.hotVictims - other.hotVictims ||
  one.warmVictims - other.warmVictims ||
  one.coldVictims - other.coldVictims ||
  one.leavingCount - other.leavingCount ||
  one.disturbedMs - other.disturbedMs ||
  one.changeCount - other.changeCount;

/** Without the changes of the layout, which are not known yet. */
function costOf(victims: readonly MigTenant[], leaving: readonly MigTenant[]): RepartitionCost {
  const count = (level: MigTenant["level"]): number => victims.filter((victim) => victim.level === level).length;
  const disturbedMs = victims.reduce((total, { drainMs, restartMs }) => total + drainMs + restartMs, 0);
  const byLevel = { hotVictims: count("hot"), warmVictims: count("warm"), coldVictims: count("cold") };
  return { ...byLevel, leavingCount: leaving.length, disturbedMs, changeCount: 0 };
}

const changeCount = (from: MigLayout, to: MigLayout): number =>
  placementsOf(without(from, to)).length + placementsOf(without(to, from)).length;

const subsetsOf = <Item>(items: readonly Item[]): readonly (readonly Item[])[] =>
  items.reduce<readonly (readonly Item[])[]>((subsets, item) => [...subsets, ...subsets.map((subset) => [...subset, item])], [[]]);

const slicesOf = (of: readonly { readonly profile: MigProfile }[]): number =>
  of.reduce((total, { profile }) => total + MIG_SHAPES[profile].memorySlices, 0);
const countProfiles = (of: readonly { readonly profile: MigProfile }[]): MigCounts =>
  of.reduce<MigCounts>((counts, { profile }) => sumOfCounts(counts, { [profile]: 1 }), {});
const profilesOf = (tenants: readonly MigTenant[]): MigCounts => countProfiles(tenants.map(({ placement }) => placement));
const layoutBits = (tenants: readonly MigTenant[]): MigLayout =>
  migLayout(tenants.reduce((bits, { placement }) => bits | (1 << placementIndex(placement)), 0));

export function explainRepartitionRefusal(refusal: RepartitionRefusal): Explanation {
  if (refusal.code === "ILLEGAL_CURRENT") {
    const what = `The GPU is said to have a MIG instance ${formatPlacement(refusal.placement)}, which fits no legal layout beside the others.`;
    return {
      what,
      why: "What is known of the GPU is wrong, or its geometry is another one.",
      next: "Read the MIG instances from the driver again.",
    };
  }
  const { what, why } = explainNoLayout(refusal.noLayout);
  const pinned = refusal.pinned.length === 0 ? "" : ` Not to be touched: ${refusal.pinned.join(", ")}.`;
  return {
    what,
    why: `${why} Everybody else was moved in thought.${pinned}`,
    next: "Use another GPU, or make room for one of its tenants elsewhere.",
  };
}
