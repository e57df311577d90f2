import type { RepartitionStep } from "../api/gpu-relocation.ts";
import { assert } from "../base/assert.ts";
import type { InstanceName, MigLayout } from "../base/ids.ts";
import { holds, layoutOf, placementsOf, without, withPlacement, type MigPlacement } from "../api/mig-layout.ts";
import { MIG_CHANGE_MS, type MigTenant, type MigWish, type RepartitionCost, type RepartitionPlan } from "./repartition.ts";

interface Decided {
  readonly from: MigLayout;
  readonly to: MigLayout;
  readonly tenants: readonly MigTenant[];
  readonly wishes: readonly MigWish[];
  readonly moved: readonly MigTenant[];
  readonly leaving: readonly MigTenant[];
  readonly cost: RepartitionCost;
}
interface Move {
  readonly tenant: MigTenant;
  readonly to: MigPlacement | null;
}

/** Who gets which placement of the decided layout, and the steps there, in an order in which every state is legal. */
export function orderRepartition(decided: Decided): RepartitionPlan {
  const { from, to, tenants, wishes, moved, leaving, cost } = decided;
  const victims = [...moved, ...leaving];
  const staying = tenants.filter((tenant) => !victims.includes(tenant)).map(({ placement }) => placement);
  const kept = layoutOf(staying);
  assert(kept.ok, "tenants stand at legal placements");
  const free = placementsOf(without(to, kept.value));
  const asked = [
    ...moved.toSorted(byLevelUp).map(({ instance, placement }) => ({ instance, profile: placement.profile })),
    ...wishes.toSorted(byName),
  ];
  const places = assignPlaces(asked, { free, from });
  const moves = victims.toSorted(byLevelUp).map((tenant): Move => ({ tenant, to: places.get(tenant.instance) ?? null }));
  const steps = orderSteps({ from, to, moves: moves.toSorted(byDrain) });
  return {
    from,
    to,
    victims: moves.map(({ tenant, to: place }) => ({ instance: tenant.instance, level: tenant.level, from: tenant.placement, to: place })),
    granted: wishes.flatMap((wish) => {
      const placement = places.get(wish.instance);
      return placement === undefined ? [] : [{ ...wish, placement }];
    }),
    steps,
    cost,
    budgetMs: steps.reduce((total, step) => total + step.budgetMs, 0),
  };
}

/** In the order asked: those that exist already first, then the lowest. */
function assignPlaces(
  asked: readonly MigWish[],
  { free, from }: { readonly free: readonly MigPlacement[]; readonly from: MigLayout },
): ReadonlyMap<InstanceName, MigPlacement> {
  const exists = (placement: MigPlacement): number => (holds(from, placement) ? 0 : 1);
  const left = free.toSorted((one, other) => exists(one) - exists(other) || one.start - other.start);
  const places = new Map<InstanceName, MigPlacement>();
  for (const { instance, profile } of asked) {
    const at = left.findIndex((placement) => placement.profile === profile);
    const place = left[at];
    assert(place !== undefined, "the layout has a placement for everybody who asked");
    left.splice(at, 1);
    places.set(instance, place);
  }
  return places;
}

/**
 * As late as possible a victim is drained, as early as possible it runs again: restart, create and destroy go before the next drain, and
 * victims go one after the other, cold and warm before hot. Destroying leaves a legal layout always; a placement is created once it fits.
 */
function orderSteps({
  from,
  to,
  moves,
}: {
  readonly from: MigLayout;
  readonly to: MigLayout;
  readonly moves: readonly Move[];
}): readonly RepartitionStep[] {
  const steps: RepartitionStep[] = [];
  const toDrain = [...moves];
  const toRestart: Move[] = [];
  const toDestroy = [...placementsOf(without(from, to))];
  const toCreate = placementsOf(without(to, from)).toSorted(movedFirst(moves));
  let layout = from;
  const isInUse = (at: MigPlacement): boolean => toDrain.some(({ tenant }) => isSamePlace(tenant.placement, at));
  for (;;) {
    const restart = takeFirst(toRestart, ({ to: place }) => place !== null && holds(layout, place) && !isInUse(place));
    if (restart !== null && restart.to !== null) {
      steps.push(engineStep("restart", restart.tenant, restart.to));
      continue;
    }
    const created = takeFirst(toCreate, (at) => withPlacement(layout, at) !== null);
    if (created !== null) {
      layout = withPlacement(layout, created) ?? layout;
      steps.push(instanceStep("create", created));
      continue;
    }
    const destroyed = takeFirst(toDestroy, (at) => !isInUse(at));
    if (destroyed !== null) {
      layout = withoutPlacement(layout, destroyed);
      steps.push(instanceStep("destroy", destroyed));
      continue;
    }
    const drained = toDrain.shift();
    if (drained === undefined) break;
    steps.push(engineStep("drain", drained.tenant, drained.tenant.placement));
    if (drained.to !== null) toRestart.push(drained);
  }
  assert(layout === to && toRestart.length === 0 && toCreate.length === 0, "the steps lead to the decided layout");
  return steps;
}

function takeFirst<Item>(items: Item[], isTaken: (item: Item) => boolean): Item | null {
  const at = items.findIndex(isTaken);
  return at < 0 ? null : (items.splice(at, 1)[0] ?? null);
}

function withoutPlacement(layout: MigLayout, placement: MigPlacement): MigLayout {
  const alone = layoutOf([placement]);
  return alone.ok ? without(layout, alone.value) : layout;
}

function engineStep(verb: "drain" | "restart", { instance, placement, drainMs, restartMs }: MigTenant, at: MigPlacement): RepartitionStep {
  assert(verb === "restart" || isSamePlace(placement, at), "an instance is drained where it stands");
  return { do: verb, instance, at, budgetMs: verb === "drain" ? drainMs : restartMs };
}

const instanceStep = (verb: "create" | "destroy", at: MigPlacement): RepartitionStep => ({ do: verb, at, budgetMs: MIG_CHANGE_MS });

/** Placements that a victim waits for, before those that only a wish waits for. */
const movedFirst =
  (moves: readonly Move[]) =>
  (one: MigPlacement, other: MigPlacement): number => {
    const rank = (at: MigPlacement): number => (moves.some(({ to }) => to !== null && isSamePlace(to, at)) ? 0 : 1);
    return rank(one) - rank(other);
  };

export const isSamePlace = (one: MigPlacement, other: MigPlacement): boolean => one.profile === other.profile && one.start === other.start;

const LEVELS: readonly MigTenant["level"][] = ["hot", "warm", "cold"];
/** Cold and warm before hot; of one level, who leaves first, since its room may be waited for. */
const byDrain = (one: Move, other: Move): number =>
  LEVELS.indexOf(other.tenant.level) - LEVELS.indexOf(one.tenant.level) ||
  (one.to === null ? 0 : 1) - (other.to === null ? 0 : 1) ||
  byName(one.tenant, other.tenant);
const byLevelUp = (one: MigTenant, other: MigTenant): number =>
  LEVELS.indexOf(one.level) - LEVELS.indexOf(other.level) || byName(one, other);
const byName = (one: { readonly instance: string }, other: { readonly instance: string }): number =>
  one.instance < other.instance ? -1 : one.instance > other.instance ? 1 : 0;
