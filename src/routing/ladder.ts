import type { Level } from "../api/hot-standby-config.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import { endpointKey, type EndpointKey, type HealthIndex } from "./health.ts";
import { isSaturated } from "./saturation.ts";
import type { SmoothWeighted } from "./smooth-weighted.ts";

export interface Choice {
  readonly endpoint: RungEndpoint;
  readonly level: Level;
}

export interface LadderView {
  readonly health: HealthIndex;
  readonly weights: SmoothWeighted;
}

/** Every endpoint that may be sent to now, rung by rung, ejected ones included. */
export function readyEndpoints(table: RouteTable): RungEndpoint[] {
  return table.rungs.flatMap((rung) => rung.endpoints.filter((endpoint) => endpoint.isReady));
}

/**
 * Walks the rungs in order: by weight on the first rung that has anybody, then its neighbours, then lower rungs, while those are saturated.
 * Ready is enough: grants bind activations, never the way to an endpoint that already serves.
 * @param avoid endpoints that failed this request: taken only when nobody else is left.
 * @returns null when nobody is ready.
 */
export function chooseEndpoint(table: RouteTable, view: LadderView, avoid: readonly EndpointKey[]): Choice | null {
  const rungs = usableRungs(table, view.health);
  const fresh = avoid.length === 0 ? rungs : rungs.map((rung) => rung.filter((choice) => !avoid.includes(endpointKey(choice.endpoint))));
  return chooseAmong(table, view, fresh) ?? (fresh === rungs ? null : chooseAmong(table, view, rungs));
}

function usableRungs(table: RouteTable, health: HealthIndex): Choice[][] {
  return table.rungs.map((rung) =>
    rung.endpoints
      .filter((endpoint) => endpoint.isReady && health.ejectionOf(endpoint) === null)
      .map((endpoint) => ({ endpoint, level: rung.level })),
  );
}

function chooseAmong(table: RouteTable, view: LadderView, rungs: readonly (readonly Choice[])[]): Choice | null {
  const isFull = (choice: Choice): boolean => isSaturated(choice.endpoint, view.health.inFlight(choice.endpoint), table.overflow);
  const first = rungs.findIndex((rung) => rung.length > 0);
  const rung = rungs[first];
  if (rung === undefined) return null;
  const weighted =
    rung[
      view.weights.choose(
        `${table.uid}/${first}`,
        rung.map((choice) => ({ id: choice.endpoint.uid, weight: choice.endpoint.weight })),
      )
    ];
  if (weighted !== undefined && !isFull(weighted)) return weighted;
  for (const candidates of rungs) {
    const spill = leastLoaded(
      candidates.filter((choice) => !isFull(choice)),
      view.health,
    );
    if (spill !== null) return spill;
  }
  // Everybody is full: engines queue fairly inside, so the shortest relative queue of the first rung serves soonest.
  return leastLoaded(rung, view.health);
}

function leastLoaded(choices: readonly Choice[], health: HealthIndex): Choice | null {
  let best: Choice | null = null;
  let bestLoad = Infinity;
  for (const choice of choices) {
    const load = health.inFlight(choice.endpoint) / choice.endpoint.maxBatch;
    if (load < bestLoad) {
      best = choice;
      bestLoad = load;
    }
  }
  return best;
}
