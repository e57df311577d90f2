import type { EjectionCause } from "../api/link-message.ts";

/** Causes after which an endpoint may still serve: it is there, it only answers badly. */
export const isSoft = (cause: EjectionCause): boolean => cause === "5xx" || cause === "stall";

/**
 * May one more be put out for a soft cause? Never more than half of those that are not known to be dead: what they have in common, such as a
 * bad model or a full disk, is no better elsewhere, and the few that were left would drown. Of two one may be out, of one none.
 * @param alive everybody of the pool who is in, or out for a soft cause only.
 */
export const mayEjectSoftly = (pool: { readonly alive: number; readonly softlyOut: number }): boolean =>
  pool.softlyOut + 1 <= Math.floor(pool.alive / 2);
