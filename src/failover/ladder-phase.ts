import type { ServicePhase } from "../api/service-status.ts";
import type { LadderDecision } from "./decide-ladder.ts";
import { isBelow, isEveryHotReady, isRedundant, isUsable, type LadderLook } from "./ladder-look.ts";

/** One word for people; nothing is decided from it. */
export function ladderPhase(look: LadderLook, ladder: LadderDecision): ServicePhase {
  if (ladder.withheld !== null) return "Hold";
  if (ladder.level === "degraded") return ladder.epoch === 0 ? "ColdStarting" : "Degraded";
  if (!isUsable(look, ladder.level)) return ladder.level === "warm" ? "Waking" : "ColdStarting";
  if (ladder.failback.step !== null) return "Failback";
  const open = ladder.openMove;
  const isRouted = open !== null && (look.records.get(open.record)?.status?.clock.routed ?? null) !== null;
  if (open !== null && open.epoch === ladder.epoch && !isRouted) return isBelow(open.to, open.from) ? "Shifting" : "Failback";
  if (!isRedundant(look)) return "Restoring";
  // A reserve stands in, or a suspect is still judged: whole enough to be normal on hot, not enough to fail back to it.
  if (ladder.level === "hot") return "Normal";
  return ladder.pinned !== null && isEveryHotReady(look) ? "Normal" : "Restoring";
}
