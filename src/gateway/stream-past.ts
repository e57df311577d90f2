import type { MonotonicMs } from "../base/ids.ts";
import type { DiscontinuityReason } from "../wire/continuity.ts";

/** How another engine goes on with a stream: from the ids of what was shown, or from its beginning, compared with what was shown. */
export type WayOn = "ids" | "restart";

/** Why a stream ends with its engine. */
export type ContinueRefusal =
  | DiscontinuityReason
  | "whole"
  | "degraded"
  | "diverged"
  | "rejected"
  | "no-ids"
  | "too-long"
  | "unreadable"
  | "parsed"
  | "no-room";

/** What a stream has been through since its first byte. */
export interface StreamPast {
  /** How it went on, at last; null = its first engine serves it. */
  movedBy: WayOn | null;
  /** Since when its client waits for another engine's word; null = it does not. */
  lostAt: MonotonicMs | null;
  /** Why nobody can go on with it; null = somebody could, if there is one. */
  refusal: ContinueRefusal | null;
  /** Made for it, by all its engines together: what is counted of an answer that nobody tells the usage of. */
  tokens: number;
  /** Its engine told what to count. */
  isCounted: boolean;
}

export const newStreamPast = (): StreamPast => ({ movedBy: null, lostAt: null, refusal: null, tokens: 0, isCounted: false });
