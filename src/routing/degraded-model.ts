import type { DegradedStep } from "../api/hot-standby-config.ts";
import type { RouteTable } from "../api/route-table.ts";
import { endpointKey, type EndpointKey } from "./health.ts";
import { mayServe, rungsInOrder, type Choice, type LadderView } from "./ladder.ts";

/** A service lends at most this part of each engine's batch to requests of others, so that its own always find the rest. */
const LENT_BATCH_SHARE = 0.5;

/** The model that a `model` step names, with the service of the same tenant that serves it, as it stands now. */
export interface DegradedModel {
  readonly model: string;
  readonly table: RouteTable;
  /** Its own requests wait for room: they come first. */
  readonly hasQueue: boolean;
  /** The step is reached so long before the wait's end: later `queue` steps give that much. */
  readonly beforeEndMs: number;
}

/** How long the `queue` steps from `index` on let a request wait; what follows `shed` is never reached. */
export function queueMsFrom(steps: readonly DegradedStep[], index: number): number {
  let sumMs = 0;
  for (const step of steps.slice(index)) {
    if (step.kind === "shed") break;
    if (step.kind === "queue") sumMs += step.upToMs;
  }
  return sumMs;
}

/**
 * Where a request goes that its own service cannot serve: the first model whose service has free room, on the first of its rungs that has.
 * Nobody is woken for it, nobody's own request is held up by it, and the other service's own degraded steps are not looked at: no chain, no loop.
 * @returns null when none has room.
 */
export function chooseDegraded(
  models: readonly DegradedModel[],
  view: LadderView,
  avoid: readonly EndpointKey[],
): { readonly by: DegradedModel; readonly choice: Choice } | null {
  for (const by of models) {
    if (by.hasQueue) continue;
    const choice = freeRoom(by.table, view, avoid);
    if (choice !== null) return { by, choice };
  }
  return null;
}

function freeRoom(table: RouteTable, { health, woken, now }: LadderView, avoid: readonly EndpointKey[]): Choice | null {
  for (const rung of rungsInOrder(table)) {
    let best: { readonly choice: Choice; readonly load: number } | null = null;
    for (const endpoint of rung.endpoints) {
      if (!mayServe(endpoint, woken) || health.ejectionOf(endpoint) !== null || avoid.includes(endpointKey(endpoint))) continue;
      const inFlight = health.inFlight(endpoint) + 1;
      if (inFlight > endpoint.maxBatch * LENT_BATCH_SHARE || health.queuedForMs(endpoint, now) > 0) continue;
      const load = inFlight / endpoint.maxBatch;
      if (best === null || load < best.load) best = { choice: { endpoint, level: rung.level, isCrowded: false }, load };
    }
    if (best !== null) return best.choice;
  }
  return null;
}
