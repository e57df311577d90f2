import { formatBytes } from "../base/bytes.ts";
import type { InstanceName } from "../base/ids.ts";
import { chooseGpus } from "./choose-gpus.ts";
import type { FleetRoom } from "./fleet-room.ts";
import { bestPlace } from "./place-index.ts";
import { byPromise, slicesOf } from "./place-instances.ts";
import { isOverCap, placeKey, type PlacedMember, type PlacementNotice } from "./placement-request.ts";
import type { Standing } from "./settle-standing.ts";

/** An instance that has less than its config asks for now: too few bytes, or a mode that isolates too little. */
export interface Outgrown {
  readonly standing: Standing;
  /** Where it goes; null = it stays. */
  readonly to: readonly PlacedMember[] | null;
  /** Why it stays: nowhere is room, or nobody else of its service runs, or another one of it moves. null = it goes. */
  readonly stays: "no-room" | "no-cover" | "no-turn" | null;
}
export type OutgrownMoves = ReadonlyMap<InstanceName, Outgrown>;

/** Why one moves. Stored with its partition, and read back as the sign that it was told to go. */
export const WHY_OUTGROWN = "moves to where it gets what its config asks for";

/**
 * Another place for those that have too little, where there is one. Who runs goes one of each service at a time, warm before hot, and never
 * the only one that runs: it stands where it is until its own service has drained it, and the room holds both places. Who does not run is
 * there at once. Who finds nothing keeps what he has, running or not.
 * @param before moves that were found earlier. @returns those too.
 */
export function moveOutgrown(
  among: readonly Standing[],
  { standing, room, before }: { readonly standing: readonly Standing[]; readonly room: FleetRoom; readonly before: OutgrownMoves },
): OutgrownMoves {
  if (among.length === 0) return before;
  const moves = new Map(before);
  const byService = Map.groupBy(standing, ({ request }) => request.service);
  for (const one of among.toSorted(byHaste)) {
    const obstacle = one.isRunning ? obstacleTo(one, byService.get(one.request.service) ?? [], moves) : null;
    const to = obstacle === null ? placeElsewhere(one, room) : null;
    moves.set(one.request.instance, { standing: one, to, stays: obstacle ?? (to === null ? "no-room" : null) });
    if (to !== null) holdTarget({ standing: one, to }, room);
  }
  return moves;
}

/** What does not run first; then the service of who comes first, and of a service the least needed first. */
const byHaste = (one: Standing, other: Standing): number =>
  Number(one.isRunning) - Number(other.isRunning) ||
  (one.request.service === other.request.service ? byPromise(other.request, one.request) : byPromise(one.request, other.request));

function obstacleTo({ request }: Standing, service: readonly Standing[], moves: OutgrownMoves): "no-cover" | "no-turn" | null {
  const others = service.filter((one) => one.request.instance !== request.instance && one.isRunning && one.request.level !== "cold");
  if (others.length === 0) return "no-cover";
  const isMoving = (one: Standing): boolean => one.leaving !== null || (moves.get(one.request.instance)?.to ?? null) !== null;
  return service.some(isMoving) ? "no-turn" : null;
}

function placeElsewhere({ request, members }: Standing, room: FleetRoom): readonly PlacedMember[] | null {
  room.release(request.instance, members);
  // Why there is none is not asked: of many who wait, that is most of the work.
  const choice = isOverCap(request) || bestPlace(request, room) === null ? null : chooseGpus(request, room);
  room.hold(slicesOf(request, members));
  if (choice === null || !choice.ok) return null;
  // What shares its GPU without MIG gets what is free there without a move.
  return choice.value.some((member) => member.mig === null && isOn(members, member)) ? null : choice.value;
}

const isOn = (members: readonly PlacedMember[], place: PlacedMember): boolean =>
  members.some((member) => placeKey(member) === placeKey(place));

/** Both places, as long as it runs. On its own GPU they may overlap, so that nobody else may come there meanwhile. */
export function holdTarget({ standing, to }: { readonly standing: Standing; readonly to: readonly PlacedMember[] }, room: FleetRoom): void {
  const { request, members, isRunning } = standing;
  if (!isRunning) {
    room.release(request.instance, members);
    room.hold(slicesOf(request, to));
    return;
  }
  const own = to.filter((member) => isOn(members, member));
  if (own.length > 0) room.close([...room.closed, ...own]);
  const others = to.filter((member) => !isOn(members, member));
  room.hold(slicesOf(request, others));
}

/** Where it stands, once what does not run has moved. */
export function afterMove(standing: Standing, moves: OutgrownMoves): Standing {
  const to = moves.get(standing.request.instance)?.to ?? null;
  if (to === null) return standing;
  return standing.isRunning ? { ...standing, leaving: WHY_OUTGROWN } : { ...standing, members: to, isOutgrown: false };
}

const WHY_STAYS: Readonly<Record<NonNullable<Outgrown["stays"]>, string>> = {
  "no-room": "No place is free that has as much.",
  "no-cover": "Nobody else of its service runs, so it is not taken down for that.",
  "no-turn": "Another instance of its service moves first.",
};

export function outgrownNotice({ standing: { request, members }, to, stays }: Outgrown): PlacementNotice {
  const { instance, memberBytes, isExclusive, isolation } = request;
  const asked = `${formatBytes(Math.max(...memberBytes))}${isExclusive ? " and whole GPUs" : ` and ${isolation} isolation`}`;
  const has = members.map(({ mode, memoryBytes }) => `${formatBytes(memoryBytes)} by ${mode}`).join(", ");
  const why = stays === null ? `It goes to ${(to ?? []).map(placeKey).join(" ")} once its service can do without it.` : WHY_STAYS[stays];
  const next = stays === "no-cover" ? "Give the service another hot or warm instance, or ask for less." : "Nothing, or add a GPU.";
  return { code: "OUTGROWN", what: `${instance} has ${has}, and its config asks for ${asked}.`, why, next };
}
