import type { RelocationPlace } from "../api/gpu-relocation.ts";
import { assert } from "../base/assert.ts";
import type { InstanceName } from "../base/ids.ts";
import { isSameJson } from "../base/same-json.ts";
import { chooseGpus, fitAt } from "./choose-gpus.ts";
import { emptied, type FleetRoom } from "./fleet-room.ts";
import type { RelocationOrder, RelocationOrders } from "./next-relocation.ts";
import { offerStanding } from "./gpu-offer.ts";
import { holdTarget, type OutgrownMoves } from "./move-outgrown.ts";
import { slicesOf, type Placements } from "./place-instances.ts";
import {
  isOverCap,
  placeKey,
  type InstanceRequest,
  type PlacedInstance,
  type PlacedMember,
  type PlacementRefusal,
} from "./placement-request.ts";
import type { Standing } from "./settle-standing.ts";

/** Whether the order takes somebody away from there. */
export const mustLeave = (at: RelocationPlace, { from }: Pick<RelocationOrder, "from">): boolean =>
  from.some((place) => placeKey(at) === placeKey(place) && isSameJson(at.mig, place.mig));

export interface ByOrder extends Placements {
  /** A wish that had too little, and goes to where room was made for it. */
  readonly arrived: OutgrownMoves;
  /** Victims that have nowhere to go any more: they stay where they are. */
  readonly stuck: ReadonlySet<InstanceName>;
  /** Nobody else looks for a place for these. */
  readonly settled: ReadonlySet<InstanceName>;
}
interface Scene {
  readonly standing: readonly Standing[];
  readonly orders: RelocationOrders;
  readonly room: FleetRoom;
}

/**
 * Places those of a relocation that are on their way, each only where it was told; on a closed GPU it waits until that is free. What waits
 * elsewhere keeps its room from others, and where that is gone all the same, it looks for another place like everybody; where there is none
 * either, it goes back to where it came from, and the wish waits: whoever makes room for somebody does not end up without.
 * @param open those without a place.
 */
export function placeByOrder(open: readonly InstanceRequest[], { standing, orders, room }: Scene): ByOrder {
  const placed: PlacedInstance[] = [];
  const refused: ByOrder["refused"][number][] = [];
  const waiting = new Map(open.map((request) => [request.instance, request]));
  // In the order of the orders: the wish comes last, since a victim may have to come back.
  for (const [instance, order] of orders.of) {
    const request = waiting.get(instance);
    if (request === undefined || order.to.length === 0) continue;
    const members = fitAt(request, order.to.map(pseudoMember), room) ?? insteadAt(request, order, { orders, room });
    if (members === "waits") refused.push({ request, refusal: relocating(request, order) });
    else if (members !== null) {
      room.hold(slicesOf(request, members));
      placed.push({ request, members });
    }
  }
  const arrived = arrivingWish({ standing, orders, room });
  const movers = standing.filter(({ request }) => orders.of.has(request.instance));
  const stuck = new Set(
    movers.flatMap((one) => (isForNothing(one, orders, room) || !keepRoom(one.request, orders, room) ? [one.request.instance] : [])),
  );
  return { placed, refused, arrived, stuck, settled: new Set([...placed, ...refused].map(({ request }) => request.instance)) };
}

/** null = it is one like all others. */
function insteadAt(
  request: InstanceRequest,
  { from, to }: RelocationOrder,
  { orders, room }: Omit<Scene, "standing">,
): readonly PlacedMember[] | "waits" | null {
  if (to.every((place) => isClosed(place, orders) && couldFit(request, place, room))) return "waits";
  if (from.length === 0 || request.instance === orders.wish) return null;
  const choice = chooseGpus(request, room);
  return choice.ok ? choice.value : fitAt(request, from.map(pseudoMember), room);
}

function relocating({ instance }: InstanceRequest, { to, why }: RelocationOrder): PlacementRefusal {
  const [first] = to;
  assert(first !== undefined, "who waits was told for what");
  return { code: "RELOCATING", instance, gpu: { node: first.node, gpu: first.gpu }, why };
}

/** It was drained, and stands where it had too little until the new place is its own. */
function arrivingWish({ standing, orders, room }: Scene): OutgrownMoves {
  const order = orders.wish === null ? undefined : orders.of.get(orders.wish);
  const own = standing.find(({ request, isRunning }) => request.instance === orders.wish && !isRunning);
  if (order === undefined || own === undefined || !order.isDue) return new Map();
  const to = fitAt(own.request, order.to.map(pseudoMember), room);
  if (to === null) return new Map();
  holdTarget({ standing: own, to }, room);
  return new Map([[own.request.instance, { standing: own, to, stays: null }]]);
}

/** Whether waiting for the place makes sense: it would do, were nobody else there. What was asked for may have changed since. */
function couldFit(request: InstanceRequest, to: RelocationPlace, room: FleetRoom): boolean {
  const node = room.matching(request).find(({ name }) => name === to.node);
  const gpu = node === undefined ? undefined : room.gpusOf(node.name).find((one) => one.gpu === to.gpu);
  if (gpu === undefined || room.isQuarantined(gpu, request.service)) return false;
  if (isOverCap(request)) return false;
  return offerStanding(request, emptied(gpu), pseudoMember(to)).ok;
}

const isClosed = (place: RelocationPlace, { closed }: RelocationOrders): boolean => closed.some((one) => placeKey(one) === placeKey(place));

/** A wish that runs elsewhere, and would not fit where room was made. */
const isForNothing = ({ request, leaving }: Standing, { wish, of }: RelocationOrders, room: FleetRoom): boolean =>
  request.instance === wish && leaving !== null && fitAt(request, (of.get(wish)?.to ?? []).map(pseudoMember), room) === null;

/** For one that still runs where it was. @returns whether there is a place to go to. */
function keepRoom(request: InstanceRequest, orders: RelocationOrders, room: FleetRoom): boolean {
  const to = orders.of.get(request.instance)?.to ?? [];
  if (to.length === 0 || to.some((place) => isClosed(place, orders))) return true;
  const isThere = (place: RelocationPlace): boolean =>
    room.slicesOf(request.service).some((slice) => slice.instance === request.instance && placeKey(slice) === placeKey(place));
  if (to.some(isThere)) return true;
  const members = fitAt(request, to.map(pseudoMember), room);
  if (members !== null) {
    room.hold(slicesOf(request, members));
    return true;
  }
  return chooseGpus(request, room).ok;
}

/** As if it stood there: of MIG that instance and no other, else what the GPU gives. */
const pseudoMember = ({ node, gpu, mig }: RelocationPlace): PlacedMember => ({
  node,
  gpu,
  mode: mig === null ? "exclusive" : "mig",
  mig,
  memoryBytes: 0,
  computePercent: 100,
});
