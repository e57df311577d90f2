import type { Level, Tier } from "../api/hot-standby-config.ts";
import { chooseGpus } from "./choose-gpus.ts";
import { createFleetRoom } from "./fleet-room.ts";
import { noticesOf } from "./proximity.ts";
import type { Fleet, GpuPlace, HeldSlice, InstanceRequest, PlacedInstance, PlacementRefusal } from "./placement-request.ts";

export interface Placements {
  readonly placed: readonly PlacedInstance[];
  readonly refused: readonly { readonly request: InstanceRequest; readonly refusal: PlacementRefusal }[];
}

/**
 * A place for each request that has none yet, the most promised first: platinum before gold before silver, then by priority, then hot, warm, cold.
 * What is held stays where it is. Same input in any order, same output.
 */
export function placeInstances(requests: readonly InstanceRequest[], fleet: Fleet): Placements {
  const room = createFleetRoom(fleet);
  const placed: PlacedInstance[] = [];
  const refused: { request: InstanceRequest; refusal: PlacementRefusal }[] = [];
  for (const request of requests.toSorted(byPromise)) {
    const choice = chooseGpus(request, room);
    if (!choice.ok) {
      refused.push({ request, refusal: choice.error });
      continue;
    }
    const { members, node, proximity } = choice.value;
    room.hold(slicesOf(request, members));
    placed.push({ request, members, notices: noticesOf(request, node, proximity) });
  }
  return { placed, refused };
}

/** What an instance holds once it has those GPUs. */
export function slicesOf(request: InstanceRequest, members: readonly GpuPlace[]): readonly HeldSlice[] {
  const { instance, service, level, isExclusive, hostBytes } = request;
  return members.map(({ node, gpu }, index) => ({
    node,
    gpu,
    instance,
    service,
    level,
    memoryBytes: request.memberBytes[index] ?? 0,
    isExclusive,
    hostBytes,
  }));
}

const TIER_ORDER: Readonly<Record<Tier, number>> = { platinum: 0, gold: 1, silver: 2 };
const LEVEL_ORDER: Readonly<Record<Level, number>> = { hot: 0, warm: 1, cold: 2 };

function byPromise(left: InstanceRequest, right: InstanceRequest): number {
  return (
    TIER_ORDER[left.tier] - TIER_ORDER[right.tier] ||
    right.priority - left.priority ||
    LEVEL_ORDER[left.level] - LEVEL_ORDER[right.level] ||
    (left.instance < right.instance ? -1 : left.instance > right.instance ? 1 : 0)
  );
}
