import { GB } from "../base/bytes.ts";
import type { Tier } from "./hot-standby-config.ts";

/** What a class of service promises, in instances so that it holds for any tensorParallelSize. */
export interface TierRow {
  readonly hot: { readonly instanceCount: number; readonly isShared: boolean };
  readonly warm: { readonly instanceCount: number; readonly isShared: boolean; readonly lend: "never" | "whenIdle" } | null;
  /** Bytes held for a cold start; 0 = started on demand where room can be made. */
  readonly coldReservedBytes: number;
  readonly rtoTargetMs: number;
}

export const TIER_TABLE: Readonly<Record<Tier, TierRow>> = {
  platinum: {
    hot: { instanceCount: 2, isShared: false },
    warm: { instanceCount: 1, isShared: false, lend: "never" },
    coldReservedBytes: 40 * GB,
    rtoTargetMs: 5_000,
  },
  gold: {
    hot: { instanceCount: 1, isShared: false },
    warm: { instanceCount: 1, isShared: true, lend: "whenIdle" },
    coldReservedBytes: 20 * GB,
    rtoTargetMs: 15_000,
  },
  silver: {
    hot: { instanceCount: 1, isShared: true },
    warm: null,
    coldReservedBytes: 0,
    rtoTargetMs: 60_000,
  },
};

/** Only ever from the promise, never from a name. Without a promise: silver. */
export function inferTier(rtoTargetMs: number | null): Tier {
  if (rtoTargetMs === null) return "silver";
  if (rtoTargetMs <= TIER_TABLE.platinum.rtoTargetMs) return "platinum";
  if (rtoTargetMs <= TIER_TABLE.gold.rtoTargetMs) return "gold";
  return "silver";
}
