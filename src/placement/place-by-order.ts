import type { RelocationPlace } from "../api/gpu-relocation.ts";
import type { InstanceName, ServiceName } from "../base/ids.ts";
import { isSameJson } from "../base/same-json.ts";
import { fitAt } from "./choose-gpus.ts";
import type { FleetRoom } from "./fleet-room.ts";
import type { RelocationOrder, RelocationOrders } from "./next-relocation.ts";
import { offerStanding } from "./gpu-offer.ts";
import { slicesOf, type Placements } from "./place-instances.ts";
import { placeKey, type InstanceRequest, type PlacedInstance, type PlacedMember } from "./placement-request.ts";

/** Whether the order takes somebody away from there. */
export const mustLeave = (at: RelocationPlace, { from }: Pick<RelocationOrder, "from">): boolean =>
  from !== null && placeKey(at) === placeKey(from) && isSameJson(at.mig, from.mig);

export interface ByOrder extends Placements {
  /** Nobody else looks for a place for these. */
  readonly settled: ReadonlySet<InstanceName>;
}

/**
 * Places those of a relocation that are on their way, each only where it was told; on the closed GPU it waits until that is free. What waits
 * elsewhere keeps its room from others, and where that is gone all the same, it looks for another place like everybody.
 * @param open those without a place.
 */
export function placeByOrder(
  open: readonly InstanceRequest[],
  of: { readonly standing: readonly PlacedInstance[]; readonly orders: RelocationOrders; readonly room: FleetRoom },
): ByOrder {
  const { standing, orders, room } = of;
  const placed: PlacedInstance[] = [];
  const refused: ByOrder["refused"][number][] = [];
  for (const request of open) {
    const order = orders.of.get(request.instance);
    if (order === undefined || order.to === null) continue;
    const members = fitAt(request, [pseudoMember(order.to)], room);
    if (members !== null) {
      room.hold(slicesOf(request, members));
      placed.push({ request, members });
    } else if (isClosed(order.to, orders) && couldFit(request, order.to, room)) {
      const gpu = { node: order.to.node, gpu: order.to.gpu };
      refused.push({ request, refusal: { code: "RELOCATING", instance: request.instance, gpu, why: order.why } });
    }
  }
  for (const { request } of standing) keepRoom(request, orders, room);
  return { placed, refused, settled: new Set([...placed, ...refused].map(({ request }) => request.instance)) };
}

/** Whether waiting for the place makes sense: it would do, were nobody else there. What was asked for may have changed since. */
function couldFit(request: InstanceRequest, to: RelocationPlace, room: FleetRoom): boolean {
  const node = room.matching(request).find(({ name }) => name === to.node);
  const gpu = node === undefined ? undefined : room.gpusOf(node.name).find((one) => one.gpu === to.gpu);
  if (gpu === undefined || room.isQuarantined(gpu, request.service)) return false;
  if (request.capBytes !== null && Math.max(...request.memberBytes) > request.capBytes) return false;
  const emptied = { ...gpu, freeBytes: gpu.memoryBytes, cut: null, isTaken: false, holderCount: 0, services: new Set<ServiceName>() };
  return offerStanding(request, emptied, pseudoMember(to)).ok;
}

const isClosed = (place: RelocationPlace, { closed }: RelocationOrders): boolean => closed.some((one) => placeKey(one) === placeKey(place));

/** For one that still runs where it was. */
function keepRoom(request: InstanceRequest, orders: RelocationOrders, room: FleetRoom): void {
  const to = orders.of.get(request.instance)?.to ?? null;
  if (to === null || isClosed(to, orders)) return;
  if (room.slicesOf(request.service).some((slice) => slice.instance === request.instance && placeKey(slice) === placeKey(to))) return;
  const members = fitAt(request, [pseudoMember(to)], room);
  if (members !== null) room.hold(slicesOf(request, members));
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
