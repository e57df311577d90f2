import { wallMs, type WallMs } from "../base/ids.ts";
import { formatDuration, formatWall, parseWall } from "../base/time.ts";
import type { Tier } from "../api/hot-standby-config.ts";
import { NO_BURN, type ErrorBudget } from "../api/service-status.ts";
import type { EpisodeView } from "./episode-view.ts";
import { SAME_LOSS_MS } from "./rto-clock.ts";

/** Of a window: the share of its time in which no client waits beyond `rtoTarget` after a loss. */
const OBJECTIVES: Readonly<Record<Tier, number>> = { platinum: 0.9999, gold: 0.999, silver: 0.99 };
const WINDOW_MS = 30 * 24 * 3_600_000;

/** How long the clients of a service may wait beyond its recovery times in 30 days, by its tier: about 4, 43 and 432 minutes. */
export const errorBudgetMs = (tier: Tier): number => Math.round(WINDOW_MS * (1 - OBJECTIVES[tier]));

export const isBudgetSpent = ({ burnedMs }: ErrorBudget, tier: Tier): boolean => burnedMs >= errorBudgetMs(tier);

/** For people: what is burned, of how much, and since when. */
export function tellBudget({ burnedMs, lateCount, windowStart }: ErrorBudget, tier: Tier): string {
  const whole = `${formatDuration(seconds(errorBudgetMs(tier)))} for 30 days at ${tier}`;
  if (windowStart === null) return `none of ${whole} is burned`;
  const losses = lateCount === 1 ? "one loss" : `${lateCount} losses`;
  return `${formatDuration(seconds(burnedMs))} of ${whole} burned since ${windowStart}, by ${losses} recovered later than rtoTarget`;
}

interface Heard {
  readonly episodes: readonly EpisodeView[];
  readonly nowMs: WallMs;
  readonly rtoTargetMs: number;
}

/**
 * Each loss burns the time by which it was later than `rtoTarget`. Gateways tell of one several times, and of one more as it goes on: only
 * what is new counts. The window is fixed: it begins with the first late loss that it counts.
 */
export function burnAfter(before: ErrorBudget, { episodes, nowMs, rtoTargetMs }: Heard): ErrorBudget {
  let budget = isWindowOver(before, nowMs) ? forgiven(before) : before;
  for (const { faultAtMs, lastedMs } of losses(episodes)) {
    const lateMs = Math.max(0, lastedMs - rtoTargetMs);
    if (lateMs > 0) budget = burn(budget, { faultAtMs, lateMs }, nowMs);
  }
  return budget;
}

/** Begins anew; what was counted is not counted again. */
export const forgiven = ({ last }: ErrorBudget): ErrorBudget => ({ ...NO_BURN, last });

function isWindowOver({ windowStart }: ErrorBudget, nowMs: WallMs): boolean {
  const startMs = windowStart === null ? null : parseWall(windowStart);
  return startMs !== null && nowMs >= startMs + WINDOW_MS;
}

function burn(budget: ErrorBudget, loss: { readonly faultAtMs: WallMs; readonly lateMs: number }, nowMs: WallMs): ErrorBudget {
  const lastMs = budget.last === null ? null : parseWall(budget.last.fault);
  const sinceLastMs = lastMs === null ? Number.POSITIVE_INFINITY : loss.faultAtMs - lastMs;
  // Told late, after a newer one was counted: it is let go, for whether it was counted too is not known any more.
  if (sinceLastMs < -SAME_LOSS_MS) return budget;
  const isSame = budget.last !== null && sinceLastMs <= SAME_LOSS_MS;
  const countedMs = isSame ? (budget.last?.lateMs ?? 0) : 0;
  if (loss.lateMs <= countedMs) return budget;
  return {
    windowStart: budget.windowStart ?? formatWall(nowMs),
    burnedMs: budget.burnedMs + loss.lateMs - countedMs,
    lateCount: budget.lateCount + (isSame && budget.lateCount > 0 ? 0 : 1),
    last: { fault: isSame && budget.last !== null ? budget.last.fault : formatWall(loss.faultAtMs), lateMs: loss.lateMs },
  };
}

/** Oldest first. What gateways tell of faults that close together is one loss, and as long as the longest of it. */
function losses(episodes: readonly EpisodeView[]): readonly { readonly faultAtMs: WallMs; readonly lastedMs: number }[] {
  const found: { faultAtMs: WallMs; lastedMs: number }[] = [];
  for (const episode of episodes.filter(({ isOver }) => isOver).toSorted((left, right) => left.faultAtMs - right.faultAtMs)) {
    const newest = found.at(-1);
    if (newest !== undefined && episode.faultAtMs - newest.faultAtMs <= SAME_LOSS_MS)
      newest.lastedMs = Math.max(newest.lastedMs, lastedMs(episode));
    else found.push({ faultAtMs: wallMs(episode.faultAtMs), lastedMs: lastedMs(episode) });
  }
  return found;
}

/** The longest wait of an affected request; where all of them were refused, until the last of them was. */
function lastedMs({ rtoMs, to, affected, faultAtMs, endedAtMs }: EpisodeView): number {
  if (rtoMs !== null) return rtoMs;
  return to === null && affected > 0 && endedAtMs !== null ? endedAtMs - faultAtMs : 0;
}

const seconds = (durationMs: number): number => Math.ceil(durationMs / 1_000) * 1_000;
