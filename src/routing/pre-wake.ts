import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import type { MonotonicMs } from "../base/ids.ts";
import { endpointKey, type EndpointKey, type HealthIndex } from "./health.ts";
import { readyEndpoints } from "./ladder.ts";
import { wishToWake, type WakeView, type WakeWish } from "./wake-wish.ts";

/** A suspicion costs a wake at most so often: an engine of long steps is under one again and again. */
export const PRE_WAKE_EVERY_MS = 60_000;

export interface PreWakeView {
  readonly health: Pick<HealthIndex, "ejectionOf">;
  readonly woken: ReadonlySet<EndpointKey>;
  /** One signal speaks against them, and not yet the second one that ejects. */
  readonly suspects: ReadonlySet<EndpointKey>;
  readonly wakes: WakeView;
  /** When this service's last wake for a suspicion began; null = never. */
  readonly lastAt: MonotonicMs | null;
  /** A wake over the same node's link is queued or runs. */
  readonly isLinkBusy: (endpoint: RungEndpoint) => boolean;
  readonly now: MonotonicMs;
}

/**
 * Whom to wake before the loss is sure: everybody who could serve is under suspicion, so that the second signal would leave nobody.
 * Inside the same grants as any wake, hence not under Hold; no move; at most one a service and `PRE_WAKE_EVERY_MS`, and never beside a
 * wake that somebody may wait for.
 */
export function wishToPreWake(table: RouteTable, view: PreWakeView): WakeWish | null {
  const { health, woken, suspects, wakes, lastAt, now } = view;
  if (wakes.wakingUntil !== null || (lastAt !== null && now - lastAt < PRE_WAKE_EVERY_MS)) return null;
  const usable = readyEndpoints(table, woken).filter((endpoint) => health.ejectionOf(endpoint) === null);
  // With nobody left it is no suspicion any more: then the loss itself wakes.
  if (usable.length === 0 || !usable.every((endpoint) => suspects.has(endpointKey(endpoint)))) return null;
  const wish = wishToWake(table, wakes, "suspected");
  return wish === null || wish.endpoints.some((endpoint) => view.isLinkBusy(endpoint)) ? null : wish;
}
