import type { Level } from "../api/hot-standby-config.ts";
import type { RouteTable, Rung, RungEndpoint } from "../api/route-table.ts";
import type { MonotonicMs } from "../base/ids.ts";
import { endpointKey, type EndpointKey, type HealthIndex } from "./health.ts";
import { isSaturated } from "./saturation.ts";
import { DOUBTED_RATIO } from "./slow-start.ts";
import type { SmoothWeighted } from "./smooth-weighted.ts";

export interface Choice {
  readonly endpoint: RungEndpoint;
  readonly level: Level;
  /** Nobody usable had room: it will queue inside the engine. */
  readonly isCrowded: boolean;
}

export interface LadderView {
  readonly health: HealthIndex;
  readonly weights: SmoothWeighted;
  /** Endpoints that this gateway woke and verified while their table still calls them asleep. */
  readonly woken: ReadonlySet<EndpointKey>;
  readonly now: MonotonicMs;
}

interface Candidate {
  readonly endpoint: RungEndpoint;
  readonly level: Level;
  readonly isFull: boolean;
  /** Its weight, less while it has just come back or answers badly. */
  readonly weight: number;
  /** In flight, of what it takes now. */
  readonly load: number;
  readonly isDoubted: boolean;
}

const NONE_WOKEN: ReadonlySet<EndpointKey> = new Set();

/** Every endpoint that may be sent to now, rung by rung, ejected ones included. */
export function readyEndpoints(table: RouteTable, woken: ReadonlySet<EndpointKey> = NONE_WOKEN): RungEndpoint[] {
  return table.rungs.flatMap((rung) => rung.endpoints.filter((endpoint) => mayServe(endpoint, woken)));
}

/** Never an endpoint that sleeps: a request there can kill its engine. */
export const mayServe = (endpoint: RungEndpoint, woken: ReadonlySet<EndpointKey>): boolean =>
  endpoint.isReady || ((endpoint.isAsleep || endpoint.isWaking) && woken.has(endpointKey(endpoint)));

/** The same ladder with only some of its endpoints. */
export const onlyOf = (table: RouteTable, isTaken: (endpoint: RungEndpoint) => boolean): RouteTable => ({
  ...table,
  rungs: table.rungs.map((rung) => ({ ...rung, endpoints: rung.endpoints.filter(isTaken) })),
});

/** The serving rung first, then the others from the top. */
export function rungsInOrder(table: RouteTable): readonly Rung[] {
  const serving = table.rungs.filter((rung) => rung.level === table.serveFrom);
  return [...serving, ...table.rungs.filter((rung) => rung.level !== table.serveFrom)];
}

/**
 * Walks the rungs in order: by weight on the first rung that has anybody, then its neighbours, then the other rungs, while those are
 * saturated. Ready is enough: grants bind activations, never the way to an endpoint that already serves.
 * @param avoid endpoints that failed this request: taken only when nobody else is left.
 * @returns null when nobody is ready.
 */
export function chooseEndpoint(table: RouteTable, view: LadderView, avoid: readonly EndpointKey[]): Choice | null {
  const isIn = (endpoint: RungEndpoint): boolean => view.health.ejectionOf(endpoint) === null;
  const below = rungsInOrder(table).map((rung) => candidates(rung, table, view, isIn));
  const rungs = avoidingDoubted(table, view, {
    rungs: avoid.length === 0 ? returning(table, view, below) : below,
    isFirst: avoid.length === 0,
  });
  const fresh = avoid.length === 0 ? rungs : rungs.map((rung) => rung.filter((one) => !avoid.includes(endpointKey(one.endpoint))));
  return chooseAmong(table, view, fresh) ?? (fresh === rungs ? null : chooseAmong(table, view, rungs));
}

/** The request goes to hot although traffic belongs to a rung below: by a failback's share, or as what spills over. */
export const isReturned = (table: RouteTable, { level }: Pick<Choice, "level">): boolean => level === "hot" && table.serveFrom !== "hot";

/**
 * While traffic returns to hot: a share of first picks tries hot before the rung that it belongs to, evenly and without chance. Drawn
 * only where both have somebody: a rung that is alone takes everything, and what it takes is no part of the share.
 */
function returning(table: RouteTable, view: LadderView, rungs: readonly (readonly Candidate[])[]): readonly (readonly Candidate[])[] {
  if (table.returnPercent <= 0 || table.serveFrom === "hot") return rungs;
  const hot = rungs.find((candidates) => candidates[0]?.level === "hot");
  if (hot === undefined || hot === rungs.find((candidates) => candidates.length > 0)) return rungs;
  const shares = [
    { id: "stay", weight: 100 - table.returnPercent },
    { id: "return", weight: table.returnPercent },
  ];
  const isPicked = view.weights.choose(`${table.uid}/return`, shares) === 1;
  return isPicked ? [hot, ...rungs.filter((candidates) => candidates !== hot)] : rungs;
}

/**
 * Where all who are in on the first rung answer badly, another rung that is well goes first: for all but a small share, which shows when they
 * are well again. A request that has failed once is no such test.
 */
function avoidingDoubted(
  table: RouteTable,
  view: LadderView,
  { rungs, isFirst }: { readonly rungs: readonly (readonly Candidate[])[]; readonly isFirst: boolean },
): readonly (readonly Candidate[])[] {
  const first = rungs.find((candidates) => candidates.length > 0);
  if (first === undefined || !first.every(({ isDoubted }) => isDoubted)) return rungs;
  const well = rungs.find((candidates) => candidates.some(({ isDoubted }) => !isDoubted));
  if (well === undefined) return rungs;
  const shares = [
    { id: "doubted", weight: DOUBTED_RATIO },
    { id: "well", weight: 1 - DOUBTED_RATIO },
  ];
  if (isFirst && view.weights.choose(`${table.uid}/doubted`, shares) === 0) return rungs;
  return [well, ...rungs.filter((candidates) => candidates !== well)];
}

/**
 * The panic floor: of those that are out only because they answer badly, in the same order. A bad answer is better than none.
 * @param avoid endpoints that failed this request: not taken.
 */
export function chooseAiling(table: RouteTable, view: LadderView, avoid: readonly EndpointKey[]): Choice | null {
  const isTaken = (endpoint: RungEndpoint): boolean => view.health.isAiling(endpoint) && !avoid.includes(endpointKey(endpoint));
  const rungs = rungsInOrder(table).map((rung) => candidates(rung, table, view, isTaken));
  return chooseAmong(table, view, rungs);
}

/** How many more requests the usable endpoints can decode at once; null = nobody is usable. */
export function roomOf(table: RouteTable, view: Pick<LadderView, "health" | "woken">): number | null {
  const endpoints = readyEndpoints(table, view.woken).filter((endpoint) => view.health.ejectionOf(endpoint) === null);
  if (endpoints.length === 0) return null;
  return endpoints.reduce((sum, endpoint) => sum + Math.max(0, endpoint.maxBatch - view.health.inFlight(endpoint)), 0);
}

function candidates(
  rung: Rung,
  table: RouteTable,
  { health, woken, now }: LadderView,
  isTaken: (endpoint: RungEndpoint) => boolean,
): readonly Candidate[] {
  return rung.endpoints
    .filter((endpoint) => mayServe(endpoint, woken) && isTaken(endpoint))
    .map((endpoint) => {
      const inFlight = health.inFlight(endpoint);
      const isFull = isSaturated(endpoint, { inFlight, queuedForMs: health.queuedForMs(endpoint, now) }, table.overflow);
      const share = health.shareOf(endpoint, now);
      return {
        endpoint,
        level: rung.level,
        isFull,
        weight: endpoint.weight * share,
        load: inFlight / (endpoint.maxBatch * share),
        isDoubted: health.isDoubted(endpoint),
      };
    });
}

function chooseAmong(table: RouteTable, view: LadderView, rungs: readonly (readonly Candidate[])[]): Choice | null {
  const rung = rungs.find((candidates) => candidates.length > 0);
  const first = rung?.[0];
  if (rung === undefined || first === undefined) return null;
  const at = view.weights.choose(
    `${table.uid}/${first.level}`,
    rung.map(({ endpoint, weight }) => ({ id: endpoint.uid, weight })),
  );
  const weighted = rung[at];
  if (weighted !== undefined && !weighted.isFull) return choiceOf(weighted);
  for (const candidates of rungs) {
    const spill = leastLoaded(candidates.filter((candidate) => !candidate.isFull));
    if (spill !== null) return choiceOf(spill);
  }
  // Everybody is full: engines queue fairly inside, so the shortest relative queue of the first rung serves soonest.
  return choiceOf(leastLoaded(rung) ?? first);
}

const choiceOf = ({ endpoint, level, isFull }: Candidate): Choice => ({ endpoint, level, isCrowded: isFull });

function leastLoaded(candidates: readonly Candidate[]): Candidate | null {
  let best: Candidate | null = null;
  for (const candidate of candidates) if (best === null || candidate.load < best.load) best = candidate;
  return best;
}
