import type { GpuRelocation, RelocationPlace, RelocationStatus, RepartitionStep } from "../api/gpu-relocation.ts";
import { layoutOf, withPlacement } from "../api/mig-layout.ts";
import type { InstanceName, MigLayout } from "../base/ids.ts";
import { isSameJson } from "../base/same-json.ts";
import { nextRepartitionStep } from "./next-repartition-step.ts";
import { placeKey, type GpuPlace } from "./placement-request.ts";

/** Where one instance of a relocation shall be. */
export interface RelocationOrder {
  /** Where it must go from, once it is due; none = it comes from nowhere. Anywhere else it stays. */
  readonly from: readonly RelocationPlace[];
  /** One for each of its GPUs. */
  readonly to: readonly RelocationPlace[];
  /** Its turn has come: if it runs it is drained, if it does not it moves at once. */
  readonly isDue: boolean;
  readonly why: string;
}
export interface RelocationOrders {
  /** They take nobody but those of the relocation. */
  readonly closed: readonly GpuPlace[];
  /** Victims first, in their order. */
  readonly of: ReadonlyMap<InstanceName, RelocationOrder>;
  /** Who gets the room; null = nobody. */
  readonly wish: InstanceName | null;
}
export const NO_ORDERS: RelocationOrders = { closed: [], of: new Map(), wish: null };

/** What is seen of the partitions that the driver has made. */
export interface SeenPartition extends RelocationPlace {
  readonly instance: InstanceName;
  /** Its process holds memory there; of a reserve, in which nothing runs: always. */
  readonly isRunning: boolean;
}
export interface RelocationLook {
  readonly seen: readonly SeenPartition[];
  readonly elapsedMs: number;
  /** The driver refused to cut the GPU as the step before needed. */
  readonly refusal: string | null;
  /** Why it is given up where it stands, and everybody looks for a place as usual; null = it may go on. */
  readonly moot: string | null;
}
export interface RelocationMove {
  readonly status: Pick<RelocationStatus, "phase" | "failureCount" | "message">;
  readonly isEnded: boolean;
  readonly orders: RelocationOrders;
}

/** A refusal may be chance; after so many in a row it is not. */
const STEP_TRIES = 3;

/**
 * What becomes of a relocation from what is there: never from what was done, so that a crash at any point is finished by the next look. It
 * ends well once the wish has its place and every victim has one. Over its time, or refused, it turns back: who has no place gets the one
 * that he came from, and who has one keeps it; nobody is moved again for that, least of all the wish. Pure.
 */
export function nextRelocation(relocation: GpuRelocation, look: RelocationLook): RelocationMove {
  const { wish, places, victims, status: before, budgetMs, rollbackBudgetMs } = relocation;
  const failureCount = look.refusal === null ? 0 : (before?.failureCount ?? 0) + 1;
  const end = (phase: RelocationStatus["phase"], message: string): RelocationMove => ({
    status: { phase, failureCount, message },
    isEnded: true,
    orders: NO_ORDERS,
  });
  const isPlaced = (instance: InstanceName): boolean => look.seen.some((one) => one.instance === instance);
  const arePlaced = victims.every(({ instance }) => isPlaced(instance));
  const isServed = places.every((place) => look.seen.some((one) => one.instance === wish && isAt(one, place)));
  if (isServed && arePlaced) return end("Completed", "Everybody has a place.");
  if (look.moot !== null) return end("RolledBack", look.moot);
  const isOverdue = look.elapsedMs > budgetMs + rollbackBudgetMs;
  if (isOverdue) return end("Failed", `It took longer than ${budgetMs + rollbackBudgetMs} ms.`);
  const isLate = look.elapsedMs > budgetMs;
  if (before?.phase === "RollingBack" || isLate || failureCount >= STEP_TRIES) {
    const message =
      before?.phase === "RollingBack" ? before.message : isLate ? `It took longer than ${budgetMs} ms.` : (look.refusal ?? "");
    // A wish that has its place keeps it: then somebody else has none, and looks for one.
    if (arePlaced || isServed) return end(arePlaced ? "RolledBack" : "Failed", message);
    return { status: { phase: "RollingBack", failureCount, message }, isEnded: false, orders: ordersBack(relocation) };
  }
  const turn = relocation.cut === null ? turnOfAll(relocation, look) : turnOfCut(relocation, relocation.cut, look);
  return { status: { phase: "Running", failureCount, message: turn.message }, isEnded: false, orders: ordersOf(relocation, turn) };
}

/** While nobody knows who runs: all stay, and nobody else comes. */
export const standingOrders = (relocation: GpuRelocation): RelocationOrders =>
  relocation.status?.phase === "RollingBack" ? ordersBack(relocation) : ordersOf(relocation, NOBODY_DUE);

interface Turn {
  /** Whose turn has come. */
  readonly due: ReadonlySet<InstanceName>;
  readonly message: string;
}
const NOBODY_DUE: Turn = { due: new Set(), message: "" };

const isAt = (one: RelocationPlace, other: RelocationPlace): boolean =>
  placeKey(one) === placeKey(other) && (other.mig === null || isSameJson(one.mig, other.mig));

function ordersOf({ wish, places, wishFrom, victims }: GpuRelocation, { due }: Turn): RelocationOrders {
  const why = `makes room for ${wish}`;
  const moved = victims.map(({ instance, from, to }) => [instance, { from: [from], to: [to], isDue: due.has(instance), why }] as const);
  const asked: RelocationOrder = { from: wishFrom, to: places, isDue: wishFrom.length === 0 || due.has(wish), why: "gets room" };
  return { closed: gpusOf(places), of: new Map([...moved, [wish, asked]]), wish };
}

/** The wish is told nothing: where it still stands, it stays. */
function ordersBack({ wish, places, victims }: GpuRelocation): RelocationOrders {
  const why = `goes back: ${wish} gets no room`;
  const of = new Map(victims.map(({ instance, from }) => [instance, { from: [], to: [from], isDue: true, why }] as const));
  return { closed: gpusOf(places), of, wish: null };
}

const gpusOf = (places: readonly RelocationPlace[]): readonly GpuPlace[] => places.map(({ node, gpu }) => ({ node, gpu }));

/** Victims at once, each by its own service; a wish that runs elsewhere once they are gone. */
function turnOfAll({ wish, victims }: GpuRelocation, { seen }: RelocationLook): Turn {
  const movers = victims.map(({ instance }) => instance);
  const areGone = victims.every(({ instance, from }) => !seen.some((one) => one.instance === instance && isAt(one, from)));
  return { due: new Set(areGone ? [...movers, wish] : movers), message: `moves ${(areGone ? [wish] : movers).join(", ")}` };
}

/** One GPU that MIG cuts: the plan's own steps say whose turn it is. */
function turnOfCut(relocation: GpuRelocation, cut: NonNullable<GpuRelocation["cut"]>, look: RelocationLook): Turn {
  const { wish, places, victims } = relocation;
  const all = victims.map(({ instance }) => instance);
  const here = look.seen.filter((seen) => places.some((place) => placeKey(seen) === placeKey(place)));
  const layout = layoutOf(here.flatMap(({ mig }) => mig ?? []));
  if (!layout.ok) return { due: new Set(), message: "What is on the GPU is no legal layout." };
  const running = here.flatMap(({ instance, mig, isRunning }) => (mig !== null && isRunning ? [{ instance, at: mig }] : []));
  const cutNow = withRoomFor(relocation, layout.value);
  const move = nextRepartitionStep(cut, { layout: cutNow, running });
  // A wish that runs elsewhere leaves once there is nothing in its way.
  const hasRoom = places.every(({ mig }) => mig !== null && withPlacement(cutNow, mig) !== null);
  const andWish = hasRoom ? [wish] : [];
  switch (move.kind) {
    // A victim that left may have stood in the very MIG instance that the wish gets: until that is its own, nobody else comes back.
    case "completed":
      return { due: new Set([...all, wish]), message: `${wish} is about to get its place` };
    case "blocked":
      return { due: new Set([...dueUntil(cut.steps, null), ...andWish]), message: `${move.explanation.what} ${move.explanation.why}` };
    case "step":
      return { due: new Set([...dueUntil(cut.steps, move.step), ...andWish]), message: tell(move.step) };
  }
}

/** Everybody whose drain comes up to this step; null = all: a step that waits for somebody to go lets him go. */
function dueUntil(steps: readonly RepartitionStep[], step: RepartitionStep | null): readonly InstanceName[] {
  const last = step === null ? steps.length - 1 : steps.findIndex((each) => isSameJson(each, step));
  return steps.slice(0, last + 1).flatMap((each) => (each.do === "drain" ? [each.instance] : []));
}

/**
 * A plan makes a victim's new MIG instance before it is drained, where that fits. A partition stands at one place at a time, so it is made
 * when the victim comes; until then it counts as made, since the GPU takes nobody else.
 */
const withRoomFor = ({ places, victims }: GpuRelocation, layout: MigLayout): MigLayout =>
  victims.reduce(
    (all, { to }) =>
      to.mig !== null && places.some((place) => placeKey(to) === placeKey(place)) ? (withPlacement(all, to.mig) ?? all) : all,
    layout,
  );

const tell = (step: RepartitionStep): string => {
  const at = `${step.at.profile}@${step.at.start}`;
  return step.do === "drain" || step.do === "restart" ? `${step.do} ${step.instance} at ${at}` : `${step.do} ${at}`;
};
