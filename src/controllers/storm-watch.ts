import { monotonicMs, type MonotonicMs, type ServiceName, type WallMs } from "../base/ids.ts";
import { parseWall } from "../base/time.ts";
import type { OpenMove } from "../api/service-status.ts";
import { stormOf, type Storm } from "../failover/storm.ts";

/** What befell services together; as all that a control plane remembers it is found again from what is stored. */
export interface StormWatch {
  /** The service's move, as stored: an automatic one down is a loss of its rung. */
  saw(service: ServiceName, move: OpenMove | null, now: { readonly wallMs: WallMs; readonly nowMs: MonotonicMs }): void;
  /** The latest; null = none. */
  storm(serviceCount: number): Storm | null;
}

/** Older losses tell nothing of now. */
const KEPT_MS = 600_000;

export function createStormWatch(): StormWatch {
  const losses = new Map<ServiceName, MonotonicMs>();
  let latest: Storm | null = null;
  return {
    saw(service, move, { wallMs, nowMs }) {
      if (move === null || move.requestedBy !== "automatic" || move.cause === "rollout") return;
      const decidedAtMs = parseWall(move.decidedAt);
      if (decidedAtMs === null) return;
      // A wall clock that was set back makes no loss of the future.
      losses.set(service, monotonicMs(Math.min(nowMs, nowMs - (wallMs - decidedAtMs))));
      for (const [name, atMs] of losses) if (nowMs - atMs > KEPT_MS) losses.delete(name);
    },
    storm(serviceCount) {
      // One that was lost again alone has not unmade the storm that it was in.
      const found = stormOf(losses, serviceCount);
      if (found !== null && (latest === null || found.lastAtMs >= latest.lastAtMs)) latest = found;
      return latest;
    },
  };
}
