import type { InstanceName } from "../base/ids.ts";
import { parseWall } from "../base/time.ts";
import type { InstanceStatus } from "../api/service-status.ts";
import { isRoutable } from "../routing/build-table.ts";
import type { Note } from "./add-history.ts";
import type { LadderDecision } from "./decide-ladder.ts";
import type { Wish } from "./instance-look.ts";
import { leavingOf } from "./rolls-next.ts";
import { hasPlace, isComing, isEveryHotReady, isUsable, onLevel, topUsable, type LadderLook } from "./ladder-look.ts";

/** What was woken for overflow sleeps again when it has not been needed for that long. */
export const EBB_MS = 10_000;

/** What each instance shall do for where traffic belongs. */
export interface Wishes {
  readonly of: ReadonlyMap<InstanceName, Wish>;
  /** Their service has nobody, and waits for them. */
  readonly urgent: ReadonlySet<InstanceName>;
  /** Of the cold reserve: those that shall run. */
  readonly reserve: ReadonlySet<InstanceName>;
  readonly notes: readonly Note[];
  readonly lookAgainAfterMs: number | null;
}

export function decideWishes(look: LadderLook, ladder: LadderDecision): Wishes {
  const warm = look.desired
    .filter((instance) => instance.level === "warm")
    .map(({ name, rest }) => {
      const memo = look.memos.get(name);
      const ebbsInMs = memo === undefined || memo.neededAtMs === null ? 0 : memo.neededAtMs + EBB_MS - look.nowMs;
      const wish: Wish = rest === "awake" ? "wake" : wishOfSleeper(look, ladder, ebbsInMs > 0);
      return { name, wish, ebbsInMs: rest === "awake" ? 0 : Math.max(0, ebbsInMs) };
    });
  const reserve = wantedReserve(look, ladder);
  const ebbs = warm.flatMap(({ ebbsInMs }) => (ebbsInMs > 0 ? [ebbsInMs] : []));
  return {
    of: new Map([
      ...look.desired.map(({ name }) => [name, "wake"] as const),
      ...warm.map(({ name, wish }) => [name, wish] as const),
      ...look.reserve.map(({ name }) => [name, "wake"] as const),
    ]),
    urgent: urgentOnes(look, ladder, reserve.names),
    reserve: reserve.names,
    notes: reserve.notes,
    lookAgainAfterMs: ebbs.length === 0 ? null : Math.min(...ebbs),
  };
}

function wishOfSleeper(look: LadderLook, ladder: LadderDecision, isOverflowing: boolean): Wish {
  if (ladder.target === "warm" || ladder.pinned === "warm" || isCoverForRollout(look)) return "wake";
  const isNobodyThere = look.before.epoch > 0 && topUsable(look) === null;
  if (ladder.level === "warm" || isNobodyThere) return ladder.held === null || ladder.next?.how === "wake" ? "wake" : "stay";
  return isOverflowing ? "stay" : "rest";
}

/** The only hot instance that serves is about to be taken down, for a changed model or another place. */
function isCoverForRollout(look: LadderLook): boolean {
  const [only, second] = onLevel(look, "hot").filter((instance) => isRoutable(instance.state));
  return (
    only !== undefined &&
    second === undefined &&
    (only.fingerprint !== look.fingerprint || leavingOf(look.placements.get(only.name)) !== null)
  );
}

/** The reserve runs while traffic belongs to it, while it stands in for a hot instance, and through the soak after that. */
function wantedReserve(
  look: LadderLook,
  ladder: LadderDecision,
): { readonly names: ReadonlySet<InstanceName>; readonly notes: readonly Note[] } {
  const running = look.before.instances.filter((instance) => instance.level === "cold" && instance.state !== "Draining");
  const kept = isReserveKept(look, ladder) ? running.map(({ name }) => name) : [];
  const asked = ladder.target === "cold" || ladder.pinned === "cold" || (ladder.level === "cold" && ladder.next?.how === "start-reserve");
  const ready = look.reserve.filter(({ name }) => hasPlace(look, name)).map(({ name }) => name);
  if (asked) return { names: new Set([...kept, ...ready]), notes: [] };
  const missing = onLevel(look, "hot").filter((hot) => look.placements.get(hot.name)?.kind === "refused" && isEmptyHanded(hot));
  const free = ready.filter((name) => !kept.includes(name)).slice(0, Math.max(0, missing.length - kept.length));
  const [first] = free;
  if (first === undefined || look.before.epoch === 0) return { names: new Set(kept), notes: [] };
  const names = missing.map(({ name }) => name).join(", ");
  if (ladder.held !== null) {
    const note = { what: `Does not start ${first} in place of ${names}.`, why: `${ladder.held} (epoch ${look.before.epoch}).` };
    const isSaid = look.before.history.some(({ what, why }) => what === note.what && why === note.why);
    return { names: new Set(kept), notes: isSaid ? [] : [note] };
  }
  const note = {
    what: `Starts the reserve ${free.join(", ")} in place of ${names}.`,
    why: "No GPU is left for a hot instance: this restores redundancy.",
  };
  return { names: new Set([...kept, ...free]), notes: [note] };
}

function isReserveKept(look: LadderLook, ladder: LadderDecision): boolean {
  if (ladder.level === "cold" || ladder.target === "cold" || ladder.pinned === "cold") return true;
  if (!isEveryHotReady(look)) return true;
  const sinceMs = ladder.soakSince === null ? null : parseWall(ladder.soakSince);
  return sinceMs === null || look.wallMs - sinceMs < look.config.failoverPolicy.failback.soakMs;
}

const isEmptyHanded = (hot: InstanceStatus): boolean => hot.state === "Pending" || hot.state === "Failed";

/** Only what ends the wait: whoever restarts beside it would take a share of its link. */
function urgentOnes(look: LadderLook, ladder: LadderDecision, reserve: ReadonlySet<InstanceName>): ReadonlySet<InstanceName> {
  if (look.before.epoch === 0 || topUsable(look) !== null || isUsable(look, ladder.level)) return new Set();
  if (ladder.next?.how === "wake") return new Set(look.desired.filter(({ level }) => level === "warm").map(({ name }) => name));
  if (ladder.next?.how === "start-reserve") return reserve;
  return new Set(look.instances.filter((instance) => isComing(look, instance)).map(({ name }) => name));
}
