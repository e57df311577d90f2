import type { RungActivated } from "../api/link-message.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import type { MonotonicMs } from "../base/ids.ts";
import { endpointKey, type EndpointKey } from "./health.ts";
import { rungsInOrder } from "./ladder.ts";

export type WakeReason = RungActivated["because"];

/** Whom to wake, and for what. */
export interface WakeWish {
  readonly endpoints: readonly RungEndpoint[];
  readonly because: WakeReason;
}

/** What this gateway has woken of one service, as the decision sees it. */
export interface WakeView {
  /** false = this gateway suspects itself: what it misses may be well. */
  readonly isTrusted: boolean;
  /** Woken, being woken, or failed at their generation: none of them is woken again. */
  readonly begun: { has(key: EndpointKey): boolean };
  /** Moves that this gateway may still begin under this epoch. */
  readonly movesLeft: number;
  /** Until when wakes that run for the service may take; null = none runs. */
  readonly wakingUntil: MonotonicMs | null;
  /** How long one wake may take. */
  readonly budgetMs: number;
}

const WAKE_SHARE_OF_RTO = 0.6;
const WAKE_MIN_MS = 1_000;

/** Of the promised recovery time; the rest is for noticing, routing and the first token. */
export const wakeBudgetMs = (table: Pick<RouteTable, "rtoTargetMs">): number =>
  Math.max(WAKE_MIN_MS, table.rtoTargetMs * WAKE_SHARE_OF_RTO);

/**
 * Whom this gateway may wake now: of the first rung that has somebody asleep all when the service is lost, one when it is saturated.
 * @returns null when its grants, its trust in itself or the missing known answer forbid it, or nobody sleeps there.
 */
export function wishToWake(table: RouteTable, wakes: WakeView, because: WakeReason): WakeWish | null {
  if (table.grants.descent !== "automatic" || table.knownAnswer === null || !wakes.isTrusted || wakes.movesLeft <= 0) return null;
  for (const rung of rungsInOrder(table)) {
    if (rung.activation.kind !== "wake") continue;
    const asleep = rung.endpoints.filter((endpoint) => endpoint.isAsleep && !endpoint.isReady && !wakes.begun.has(endpointKey(endpoint)));
    if (asleep.length > 0) return { endpoints: because === "lost" ? asleep : asleep.slice(0, 1), because };
  }
  return null;
}
