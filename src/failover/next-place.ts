import type { InstanceName } from "../base/ids.ts";
import type { LadderPlace } from "../api/failover-record.ts";
import type { Level } from "../api/hot-standby-config.ts";
import { canBeWoken, hasPlace, isComing, isStarting, isWaking, onLevel, topUsable, type LadderLook } from "./ladder-look.ts";

/** What would have been done, were it not for Hold or advise. */
export interface Withheld {
  readonly to: "warm" | "cold";
  readonly instance: InstanceName;
}

/** Where traffic belongs when nobody serves on the rung it belonged to, and what that needs. */
export interface NextPlace {
  readonly to: LadderPlace;
  readonly how: "ready" | "wake" | "start-reserve" | "restart" | "none";
  readonly withheld: Withheld | null;
}

/** The first rung, from the top, that serves or can be made to. A hot instance that restarts in place is a cold start: it takes as long. */
export function nextPlace(look: LadderLook, isHeld: boolean): NextPlace {
  const usable = topUsable(look);
  if (usable !== "hot" && isStarting(look) && isAwaited(look, usable === null ? ["hot", "warm"] : ["hot"])) {
    return { to: look.before.epoch === 0 ? "degraded" : "cold", how: "restart", withheld: null };
  }
  if (usable !== null) return { to: usable, how: "ready", withheld: null };
  const warm = onLevel(look, "warm");
  if (warm.some((instance) => isWaking(look, instance))) return { to: "warm", how: "wake", withheld: null };
  const sleeper = warm.find((instance) => canBeWoken(look, instance));
  if (sleeper !== undefined && !isHeld) return { to: "warm", how: "wake", withheld: null };
  const reserve = startableReserve(look);
  if (onLevel(look, "cold").some((instance) => isComing(look, instance))) return { to: "cold", how: "start-reserve", withheld: null };
  if (reserve !== null && !isHeld) return { to: "cold", how: "start-reserve", withheld: null };
  const withheld: Withheld | null =
    sleeper !== undefined ? { to: "warm", instance: sleeper.name } : reserve !== null ? { to: "cold", instance: reserve } : null;
  const isRestarting = look.instances.some((instance) => isComing(look, instance));
  return isRestarting ? { to: "cold", how: "restart", withheld } : { to: "degraded", how: "none", withheld };
}

/** Somebody on these rungs starts, or will as soon as it is placed. */
function isAwaited(look: LadderLook, levels: readonly Level[]): boolean {
  const awaited = look.instances.filter((instance) => levels.includes(instance.level));
  return awaited.some((instance) => isComing(look, instance) || (look.placements.get(instance.name)?.kind ?? "waiting") === "waiting");
}

/** A reserve that has its bytes and is not used yet. */
export function startableReserve(look: LadderLook): InstanceName | null {
  const used = new Set(onLevel(look, "cold").map((instance) => instance.name));
  return look.reserve.find(({ name }) => !used.has(name) && hasPlace(look, name))?.name ?? null;
}
