import { wallMs, type Epoch, type WallMs } from "../base/ids.ts";
import { formatWall } from "../base/time.ts";
import type { RtoClock } from "../api/failover-record.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import type { EpisodeView } from "./episode-view.ts";

/** What gateways saw of one loss, put together. */
export interface Loss {
  readonly cause: string;
  readonly faultAtMs: WallMs;
  readonly clock: Pick<RtoClock, "fault" | "detected" | "targetReady" | "firstGoodToken">;
  readonly rtoMs: number | null;
  readonly affected: { readonly requests: number; readonly lost: number };
  readonly isOver: boolean;
}

/** A loss belongs to a move when its fault lies that close to it. */
const NEAR_MS = 60_000;
/** What follows a move by less was still its cause: clocks of gateways are made from ages. */
const LATE_MS = 1_000;
/** Faults that close together are one loss: both hot instances of a zone, seen by two gateways. */
export const SAME_LOSS_MS = 1_000;

/** The move that a loss is looked for. */
export interface MoveTime {
  readonly atMs: WallMs;
  /** That it leads to. */
  readonly epoch: Epoch;
  /** When what was promised stood again; null = it does not yet. */
  readonly redundantAtMs: WallMs | null;
}

/**
 * The newest loss before the move; where none is, the first after it, for a service without traffic learns of its loss by the next request.
 * The slowest gateway's clock counts, for an RTO is a maximum; requests add up.
 */
export function lossNear(episodes: readonly EpisodeView[], move: MoveTime): Loss | null {
  const movedAtMs = move.atMs;
  const near = episodes.filter((episode) => Math.abs(episode.faultAtMs - movedAtMs) <= NEAR_MS && belongsTo(episode, move));
  const ordered = near.toSorted((left, right) => left.faultAtMs - right.faultAtMs);
  const main = ordered.findLast((episode) => episode.faultAtMs <= movedAtMs + LATE_MS) ?? ordered[0];
  if (main === undefined) return null;
  const same = near.filter((episode) => Math.abs(episode.faultAtMs - main.faultAtMs) <= SAME_LOSS_MS);
  const slowest = same.reduce((worst, episode) => ((episode.rtoMs ?? -1) > (worst.rtoMs ?? -1) ? episode : worst), main);
  return {
    cause: main.cause,
    faultAtMs: slowest.faultAtMs,
    clock: {
      fault: formatWall(slowest.faultAtMs),
      detected: formatWall(slowest.detectedAtMs),
      targetReady: shown(slowest.targetReadyAtMs),
      firstGoodToken: shown(slowest.firstGoodTokenAtMs),
    },
    rtoMs: slowest.rtoMs,
    affected: { requests: sum(same.map((episode) => episode.affected)), lost: sum(same.map((episode) => episode.lost)) },
    isOver: same.every((episode) => episode.isOver),
  };
}

/** Not what an earlier move got over, and not what came when this one's loss was made good already. */
function belongsTo({ epoch, faultAtMs, firstGoodTokenAtMs, isOver }: EpisodeView, move: MoveTime): boolean {
  const wasOver = isOver && firstGoodTokenAtMs !== null && firstGoodTokenAtMs < move.atMs;
  if (wasOver && epoch < move.epoch - 1) return false;
  return move.redundantAtMs === null || faultAtMs <= Math.max(move.redundantAtMs, move.atMs);
}

/** Every loss that is over counts, whether or not the service moved for it: the second hot instance is a failover too, of requests. */
export function rtoAfter(before: ServiceStatus["rto"], episodes: readonly EpisodeView[], targetMs: number): ServiceStatus["rto"] {
  const over = episodes
    .filter((episode) => episode.isOver && episode.rtoMs !== null)
    .toSorted((left, right) => left.faultAtMs - right.faultAtMs || (left.rtoMs ?? 0) - (right.rtoMs ?? 0));
  const last = over.at(-1);
  if (last === undefined) return { ...before, targetMs };
  const worstMs = Math.max(before.worstMs ?? 0, ...over.map((episode) => episode.rtoMs ?? 0));
  return { targetMs, lastMs: last.rtoMs, worstMs };
}

const shown = (atMs: WallMs | null): string | null => (atMs === null ? null : formatWall(wallMs(atMs)));
const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
