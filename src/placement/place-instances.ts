import { assert } from "../base/assert.ts";
import type { Level, Tier } from "../api/hot-standby-config.ts";
import { chooseGpus } from "./choose-gpus.ts";
import { createFleetRoom, type FleetRoom } from "./fleet-room.ts";
import type { Fleet, HeldSlice, InstanceRequest, PlacedInstance, PlacedMember, PlacementRefusal } from "./placement-request.ts";

export interface Placements {
  readonly placed: readonly PlacedInstance[];
  readonly refused: readonly { readonly request: InstanceRequest; readonly refusal: PlacementRefusal }[];
}

/**
 * A place for each request that has none yet, the most promised first: platinum before gold before silver, then by priority, then hot, warm, cold.
 * What is held stays where it is. Same input in any order, same output.
 */
export const placeInstances = (requests: readonly InstanceRequest[], fleet: Fleet): Placements =>
  placeInto(requests, createFleetRoom(fleet));

/** Hears of each instance right before a place is looked for; the room is as it is then. */
export type PlacementLook = (request: InstanceRequest, room: FleetRoom) => void;

const UNWATCHED: PlacementLook = () => undefined;

/** As `placeInstances`; the room holds what was placed afterwards. */
export function placeInto(requests: readonly InstanceRequest[], room: FleetRoom, look: PlacementLook = UNWATCHED): Placements {
  const placed: PlacedInstance[] = [];
  const left: InstanceRequest[] = [];
  for (const request of requests.toSorted(byPromise)) {
    look(request, room);
    const choice = chooseGpus(request, room);
    if (!choice.ok) {
      left.push(request);
      continue;
    }
    room.hold(slicesOf(request, choice.value));
    placed.push({ request, members: choice.value });
  }
  // Asked again when all are placed, so that a refusal tells of the room that there is, whatever came first.
  const refused = left.flatMap((request) => {
    const choice = chooseGpus(request, room);
    return choice.ok ? [] : [{ request, refusal: choice.error }];
  });
  assert(refused.length === left.length, "room only shrinks while instances are placed");
  return { placed, refused };
}

/** What an instance holds once it has those GPUs. */
export function slicesOf(request: InstanceRequest, members: readonly PlacedMember[]): readonly HeldSlice[] {
  const { instance, tenant, service, level, hostBytes } = request;
  return members.map(({ node, gpu, memoryBytes, mode, mig }) => ({
    node,
    gpu,
    instance,
    tenant,
    service,
    level,
    memoryBytes,
    mode,
    mig,
    hostBytes,
  }));
}

/** The dearest promise first. */
export const TIER_ORDER: Readonly<Record<Tier, number>> = { platinum: 0, gold: 1, silver: 2 };
const LEVEL_ORDER: Readonly<Record<Level, number>> = { hot: 0, warm: 1, cold: 2 };

/** Who is placed first. */
export function byPromise(left: InstanceRequest, right: InstanceRequest): number {
  return (
    TIER_ORDER[left.tier] - TIER_ORDER[right.tier] ||
    right.priority - left.priority ||
    LEVEL_ORDER[left.level] - LEVEL_ORDER[right.level] ||
    (left.instance < right.instance ? -1 : left.instance > right.instance ? 1 : 0)
  );
}
