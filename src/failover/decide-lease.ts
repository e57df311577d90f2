import type { LeaseRecord } from "../api/parse-lease.ts";

/** A stand-by takes a lease that it has seen unchanged for so long, on its own steady clock. */
export const LEASE_TTL_MS = 3_000;
/** A holder acts so long from the moment it asked for its last renewal: less than the ttl, for two steady clocks may run apart by some. */
export const LEASE_HOLD_MS = 2_700;
export const LEASE_RENEW_MS = 1_000;
/** Two of them after a failed renewal still come before the hold ends. */
export const LEASE_RETRY_MS = 800;
/** A stand-by looks so often. */
export const LEASE_LOOK_MS = 500;

export interface LeaseSight {
  /** null = nobody has ever held it. */
  readonly record: LeaseRecord | null;
  /** How long this one has seen it unchanged. */
  readonly unchangedForMs: number;
}

export type LeaseDecision =
  | { readonly type: "take"; readonly next: LeaseRecord }
  | { readonly type: "wait"; readonly lookAgainAfterMs: number };

/**
 * What one who wants to lead does about what it sees. Nobody compares wall clocks: only that the record did not change counts. A record
 * in one's own name is of a tenure that one has lost oneself, or of a write whose answer was lost; nobody else acts by it.
 */
export function decideLease({ record, unchangedForMs }: LeaseSight, holder: string): LeaseDecision {
  const isFree = record === null || record.holder === null || record.holder === holder;
  if (isFree || unchangedForMs >= LEASE_TTL_MS) return { type: "take", next: { holder, term: (record?.term ?? 0) + 1, renewal: 0 } };
  return { type: "wait", lookAgainAfterMs: Math.min(LEASE_LOOK_MS, LEASE_TTL_MS - unchangedForMs) };
}

/**
 * After a renewal that did not succeed: what the store says now.
 * @param asked the renewal that was asked for last; its answer may have been lost.
 */
export function judgeRenewal(stored: LeaseRecord | null, asked: LeaseRecord): "renewed" | "not-renewed" | "lost" {
  if (stored === null || stored.holder !== asked.holder || stored.term !== asked.term) return "lost";
  return stored.renewal === asked.renewal ? "renewed" : "not-renewed";
}
