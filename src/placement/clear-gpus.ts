import type { GpuNode } from "../api/gpu-node.ts";
import { chooseGpus } from "./choose-gpus.ts";
import { emptied, type FleetRoom, type GpuRoom } from "./fleet-room.ts";
import { memberOf, offerAt } from "./gpu-offer.ts";
import { byPromise, slicesOf } from "./place-instances.ts";
import { placeKey, type InstanceRequest, type PlacedMember } from "./placement-request.ts";
import {
  disturbedMsOf,
  isPinned,
  movingOption,
  type RelocationFleet,
  type RelocationOption,
  type RelocationWish,
  type Tenant,
} from "./relocation-option.ts";

/** More would disturb more than one instance is worth. */
const VICTIMS_MAX = 4;

interface Clearable {
  readonly gpu: GpuRoom;
  readonly tenants: readonly Tenant[];
}
interface Move {
  readonly tenant: Tenant;
  readonly to: PlacedMember;
}

/**
 * Whole GPUs of one node for an instance that has each of its GPUs alone: those that are free, and for the rest those whose tenants are the
 * fewest and cheapest to move, whatever way they are cut. All of them go to other GPUs, or none. null = it cannot be, or nobody is in the way.
 */
export function clearGpus(wish: RelocationWish, node: GpuNode, fleet: RelocationFleet): RelocationOption | null {
  const { request } = wish;
  const able = fleet.room.gpusOf(node.name).flatMap((gpu) => clearable(request, gpu, fleet) ?? []);
  const free = able.filter(({ tenants }) => tenants.length === 0);
  const neededCount = request.memberBytes.length - free.length;
  if (neededCount <= 0) return null;
  let occupied = able.filter(({ tenants }) => tenants.length > 0).toSorted(byDisturbance);
  // Whoever has nowhere to go stays, and the next GPU is tried in place of his.
  while (occupied.length >= neededCount) {
    const cleared = occupied.slice(0, neededCount);
    if (cleared.reduce((count, { tenants }) => count + tenants.length, 0) > VICTIMS_MAX) return null;
    const tried = moveAll(wish, [...free, ...cleared], fleet.room);
    if (!("stuck" in tried)) return tried;
    if (tried.stuck === null) return null;
    const { stuck } = tried;
    occupied = occupied.filter(({ tenants }) => !tenants.includes(stuck));
  }
  return null;
}

/** null = it cannot be had, or somebody on it may not be moved. */
function clearable(request: InstanceRequest, gpu: GpuRoom, fleet: RelocationFleet): Clearable | null {
  const tenants = fleet.byGpu.get(placeKey(gpu)) ?? [];
  const isBarred = fleet.room.isQuarantined(gpu, request.service) || fleet.room.isClosed(gpu) || gpu.services.has(request.service);
  // Somebody who is nobody's tenant (of the past, or of a config that cannot be read) moves for no one.
  if (isBarred || tenants.length !== gpu.holderCount || tenants.some((tenant) => isPinned(request, tenant, fleet))) return null;
  return offerAt(request, emptied(gpu)) === null ? null : { gpu, tenants };
}

function byDisturbance(one: Clearable, other: Clearable): number {
  const count = ({ tenants }: Clearable, level: InstanceRequest["level"]): number =>
    tenants.filter(({ request }) => request.level === level).length;
  const ms = ({ tenants }: Clearable): number => tenants.reduce((total, tenant) => total + disturbedMsOf(tenant), 0);
  return (
    count(one, "hot") - count(other, "hot") ||
    count(one, "warm") - count(other, "warm") ||
    count(one, "cold") - count(other, "cold") ||
    ms(one) - ms(other) ||
    one.gpu.gpu - other.gpu.gpu
  );
}

/** The room is as before when this returns. @returns `stuck` = who has nowhere to go; null = it is the wish itself. */
function moveAll(
  wish: RelocationWish,
  cleared: readonly Clearable[],
  room: FleetRoom,
): RelocationOption | { readonly stuck: Tenant | null } {
  const undo: (() => void)[] = [];
  const back = <Value>(value: Value): Value => {
    for (const step of undo.toReversed()) step();
    return value;
  };
  const tenants = cleared.flatMap((one) => one.tenants);
  for (const { request, member } of tenants) {
    room.release(request.instance, [member]);
    undo.push(() => room.hold(slicesOf(request, [member])));
  }
  const places = placesAt(wish.request, cleared, room);
  if (places === null) return back({ stuck: null });
  room.hold(slicesOf(wish.request, places));
  undo.push(() => room.release(wish.request.instance, places));
  const { closed } = room;
  room.close([...closed, ...places]);
  undo.push(() => room.close(closed));
  const moves: Move[] = [];
  for (const tenant of tenants.toSorted((one, other) => byPromise(one.request, other.request))) {
    const choice = chooseGpus(tenant.request, room);
    const [to] = choice.ok ? choice.value : [];
    if (to === undefined) return back({ stuck: tenant });
    room.hold(slicesOf(tenant.request, [to]));
    undo.push(() => room.release(tenant.request.instance, [to]));
    moves.push({ tenant, to });
  }
  return back(movingOption(wish, places, moves));
}

/** All of it, once nobody is there. */
function placesAt(request: InstanceRequest, cleared: readonly Clearable[], room: FleetRoom): readonly PlacedMember[] | null {
  const inOrder = cleared.toSorted((one, other) => one.gpu.gpu - other.gpu.gpu);
  const places = inOrder.flatMap(({ gpu }, index) => {
    const empty = room.gpuAt(gpu);
    const offer = empty === null ? null : offerAt(request, empty);
    return offer === null ? [] : [memberOf(offer, request.memberBytes[index] ?? 0)];
  });
  return places.length === request.memberBytes.length ? places : null;
}
