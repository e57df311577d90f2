import type { Tier } from "../api/hot-standby-config.ts";

/** The dearest promise first. */
export const TIER_RANK: Readonly<Record<Tier, number>> = { platinum: 0, gold: 1, silver: 2 };
