import type { GpuRelocation, RelocationPlace, RelocationStatus, RelocationVictim, RepartitionStep } from "../api/gpu-relocation.ts";
import type { InstanceName, MigLayout } from "../base/ids.ts";
import { isSameJson } from "../base/same-json.ts";
import { layoutOf, withPlacement } from "../api/mig-layout.ts";
import { nextRepartitionStep, STEP_TRIES, type RepartitionMove } from "./next-repartition-step.ts";
import type { GpuPlace } from "./placement-request.ts";
import { placeKey } from "./placement-request.ts";

/** Where one instance of a relocation shall be. */
export interface RelocationOrder {
  /** null = not on this GPU: its room is taken back. */
  readonly to: RelocationPlace | null;
  /** Its turn has come: if it runs elsewhere it is drained, if it does not it moves at once. */
  readonly isDue: boolean;
  readonly why: string;
}
export interface RelocationOrders {
  /** Takes nobody but those of the relocation; null = nothing is relocated. */
  readonly closed: GpuPlace | null;
  readonly of: ReadonlyMap<InstanceName, RelocationOrder>;
}
export const NO_ORDERS: RelocationOrders = { closed: null, of: new Map() };

/** What is seen of the partitions that the driver has made. */
export interface SeenPartition extends RelocationPlace {
  readonly instance: InstanceName;
  /** Its process holds memory there; of a reserve, in which nothing runs: always. */
  readonly isRunning: boolean;
}
export interface RelocationLook {
  readonly seen: readonly SeenPartition[];
  readonly elapsedMs: number;
  /** The driver refused what the step before needed. */
  readonly refusal: string | null;
  /** Why nobody needs the room any more: what was moved goes back. null = it is needed. */
  readonly moot: string | null;
  /** Why neither forward nor back leads anywhere: everybody looks for a place as usual. null = it may go on. */
  readonly hopeless: string | null;
}
export interface RelocationMove {
  readonly status: Omit<RelocationStatus, "endedAt">;
  readonly isEnded: boolean;
  readonly orders: RelocationOrders;
}

/** What becomes of a relocation from what is there: never from what was done, so that a crash at any point is finished by the next look. Pure. */
export function nextRelocation(relocation: GpuRelocation, look: RelocationLook): RelocationMove {
  const before = relocation.status;
  if (look.hopeless !== null) {
    const status = { phase: "Failed", failureCount: before?.failureCount ?? 0, message: look.hopeless } as const;
    return { status, isEnded: true, orders: NO_ORDERS };
  }
  const failureCount = look.refusal === null ? 0 : (before?.failureCount ?? 0) + 1;
  const direction = before?.phase === "RollingBack" ? "back" : "forward";
  const tries = direction === "back" ? 0 : look.moot === null ? failureCount : STEP_TRIES;
  const move =
    relocation.cut === null
      ? nextMigration(relocation, look, { direction, failureCount: tries })
      : nextCut(relocation, look, { direction, failureCount: tries });
  const isBack = move.direction === "back";
  const phase = move.end ?? (isBack ? "RollingBack" : "Running");
  const orders = move.end === null ? ordersOf(relocation, move) : NO_ORDERS;
  return { status: { phase, failureCount, message: move.message }, isEnded: move.end !== null, orders };
}

interface Progress {
  readonly direction: "forward" | "back";
  readonly failureCount: number;
}
interface Move {
  readonly direction: "forward" | "back";
  /** Whose turn has come. */
  readonly due: ReadonlySet<InstanceName>;
  readonly end: "Completed" | "RolledBack" | "Failed" | null;
  readonly message: string;
}

function ordersOf({ wish, place, victims }: GpuRelocation, { direction, due }: Move): RelocationOrders {
  const isBack = direction === "back";
  const why = isBack ? `goes back: ${wish} gets no room` : `makes room for ${wish}`;
  // One that went to another GPU is in nobody's way there: it comes back as soon as that is wanted.
  const isAway = (to: RelocationPlace): boolean => isBack && placeKey(to) !== placeKey(place);
  const moved = victims.map(
    ({ instance, from, to }) => [instance, { to: isBack ? from : to, isDue: due.has(instance) || isAway(to), why }] as const,
  );
  const asked: RelocationOrder = { to: isBack ? null : place, isDue: true, why: isBack ? "gives its room back" : "gets room" };
  return { closed: { node: place.node, gpu: place.gpu }, of: new Map([...moved, [wish, asked]]) };
}

/** One GPU that MIG cuts: the plan's own steps say whose turn it is. */
function nextCut(relocation: GpuRelocation, look: RelocationLook, progress: Progress): Move {
  const { cut, wish, place, victims, budgetMs, rollbackBudgetMs } = relocation;
  const here = look.seen.filter((seen) => placeKey(seen) === placeKey(place));
  const layout = layoutOf(here.flatMap(({ mig }) => mig ?? []));
  if (cut === null || !layout.ok)
    return { direction: "back", due: new Set(), end: "Failed", message: "What is on the GPU is no legal layout." };
  const running = here.flatMap(({ instance, mig, isRunning }) => (mig !== null && isRunning ? [{ instance, at: mig }] : []));
  const steps = { ...cut, budgetMs, rollbackBudgetMs };
  const made = progress.direction === "forward" ? withRoomFor(relocation, layout.value) : layout.value;
  const move = nextRepartitionStep(steps, { ...progress, elapsedMs: look.elapsedMs }, { layout: made, running });
  switch (move.kind) {
    case "completed": {
      // A victim that left may have stood in the very MIG instance that the wish gets: until that is its own, nobody else comes back.
      const isThere = here.some((one) => one.instance === wish && isSameJson(one.mig, place.mig));
      const isOverdue = look.elapsedMs > budgetMs + rollbackBudgetMs;
      const end = isThere ? "Completed" : isOverdue ? "Failed" : null;
      const message = isThere ? "Everybody is at the new place." : `${wish} is about to get its place`;
      return { direction: "forward", due: new Set(victims.map(({ instance }) => instance)), end, message };
    }
    case "rolled-back":
      return { direction: "back", due: new Set(), end: "RolledBack", message: move.why };
    case "step":
    case "blocked":
      return atWork(cut.steps, move);
  }
}

/**
 * A plan makes a victim's new MIG instance before it is drained, where that fits. A partition stands at one place at a time, so it is made
 * when the victim comes; until then it counts as made, since the GPU takes nobody else.
 */
const withRoomFor = ({ place, victims }: GpuRelocation, layout: MigLayout): MigLayout =>
  victims.reduce(
    (all, { to }) => (to.mig !== null && placeKey(to) === placeKey(place) ? (withPlacement(all, to.mig) ?? all) : all),
    layout,
  );

function atWork(
  steps: readonly { readonly forward: RepartitionStep; readonly inverse: RepartitionStep }[],
  move: Extract<RepartitionMove, { kind: "step" | "blocked" }>,
): Move {
  const { direction } = move;
  const order = direction === "forward" ? steps.map(({ forward }) => forward) : steps.toReversed().map(({ inverse }) => inverse);
  const message = move.kind === "blocked" ? `${move.explanation.what} ${move.explanation.why}` : tell(move.step);
  if (move.isOverdue) return { direction, due: new Set(), end: "Failed", message: `Over its time. ${message}` };
  // A step that waits for somebody to go lets him go.
  const current = move.kind === "step" ? order.findIndex((step) => isSameJson(step, move.step)) : order.length - 1;
  const due = order.slice(0, current + 1).flatMap((step) => (step.do === "drain" ? [step.instance] : []));
  return { direction, due: new Set(due), end: null, message };
}

const tell = (step: RepartitionStep): string => {
  const at = `${step.at.profile}@${step.at.start}`;
  return step.do === "drain" || step.do === "restart" ? `${step.do} ${step.instance} at ${at}` : `${step.do} ${at}`;
};

/** One victim that goes to another GPU. */
function nextMigration(relocation: GpuRelocation, { seen, elapsedMs }: RelocationLook, progress: Progress): Move {
  const { wish, place, victims, budgetMs, rollbackBudgetMs } = relocation;
  const isAt = (instance: InstanceName, at: RelocationPlace, mustRun: boolean): boolean =>
    seen.some((one) => one.instance === instance && placeKey(one) === placeKey(at) && (one.isRunning || !mustRun));
  const areAt = (of: (victim: RelocationVictim) => RelocationPlace): boolean =>
    victims.every((victim) => isAt(victim.instance, of(victim), true));
  const due = new Set(victims.map(({ instance }) => instance));
  const isThere = areAt(({ to }) => to) && isAt(wish, place, false);
  if (progress.direction === "forward" && isThere)
    return { direction: "forward", due, end: "Completed", message: "Everybody is at the new place." };
  const isTurned = progress.direction === "back" || progress.failureCount >= STEP_TRIES || elapsedMs > budgetMs;
  const names = victims.map(({ instance }) => instance).join(", ");
  if (!isTurned) return { direction: "forward", due, end: null, message: `moves ${names}` };
  const message = `took ${elapsedMs} ms of ${budgetMs} ms, or was refused: ${names} goes back`;
  if (areAt(({ from }) => from) && !isAt(wish, place, false)) return { direction: "back", due, end: "RolledBack", message };
  if (elapsedMs > budgetMs + rollbackBudgetMs) return { direction: "back", due, end: "Failed", message };
  return { direction: "back", due, end: null, message };
}
