import type { GpuNode } from "../api/gpu-node.ts";
import type { GpuPartition, PartitionMode, UnplacedPartition } from "../api/gpu-partition.ts";
import { oncePer } from "../base/once-per.ts";
import { partitionName, type InstanceName, type PartitionName, type ServiceName } from "../base/ids.ts";
import { fitAt } from "./choose-gpus.ts";
import { explainRefusal } from "./explain-refusal.ts";
import { createFleetRoom, type FleetRoom } from "./fleet-room.ts";
import { NO_ORDERS, type RelocationOrders } from "./next-relocation.ts";
import { mustLeave, placeByOrder } from "./place-by-order.ts";
import { byPromise, placeInto, slicesOf, type PlacementLook, type Placements } from "./place-instances.ts";
import {
  placeKey,
  type GpuPlace,
  type HeldSlice,
  type InstanceRequest,
  type PlacedInstance,
  type PlacedMember,
  type PlacementNotice,
} from "./placement-request.ts";
import { noticesOf } from "./proximity.ts";

export type AnyPartition = GpuPartition | UnplacedPartition;

/** One GPU as its driver sees it. */
export interface SeenGpu extends GpuPlace {
  /** Anything but ok takes nothing new. */
  readonly health: "ok" | "lost" | "needs-reset";
  readonly holders: readonly { readonly instance: InstanceName; readonly usedBytes: number }[];
}

export interface PartitionWorld {
  readonly wanted: readonly InstanceRequest[];
  /** Services whose config cannot be read now: what they have stays as it is. */
  readonly untouched: ReadonlySet<ServiceName>;
  readonly known: readonly AnyPartition[];
  readonly nodes: readonly GpuNode[];
  /** null = the driver does not answer: whatever is promised counts as held then. */
  readonly seen: readonly SeenGpu[] | null;
  readonly quarantined: readonly (GpuPlace & { readonly service: ServiceName })[];
  /** Who moves so that another has room; absent = nobody. */
  readonly orders?: RelocationOrders;
}

export interface PartitionPlan {
  /** What instances are promised, member by member; placed ones are to be bound. */
  readonly desired: readonly { readonly partition: AnyPartition; readonly notices: readonly PlacementNotice[] }[];
  /** Wanted by nobody any more, and still held by a process. */
  readonly releasing: readonly GpuPartition[];
  readonly removed: readonly AnyPartition[];
}

/** What partitions there shall be. Pure, and stable: with its own outcome as the next input nothing changes. */
export function planPartitions(world: PartitionWorld, look?: PlacementLook): PartitionPlan {
  const { orders = NO_ORDERS } = world;
  const known = new Map(world.known.map((partition) => [partition.name, partition]));
  const wantedNames = new Set(world.wanted.flatMap(namesOf));
  const left = world.known.filter(({ name, service }) => !wantedNames.has(name) && !world.untouched.has(service));
  const releasing = left.filter((partition): partition is GpuPartition => isHeld(partition, world.seen));
  const untouched = world.known.filter(({ service }) => world.untouched.has(service)).filter(isPlaced);

  const staying = world.wanted.toSorted(byPromise).flatMap((request) => stayingOf(request, known, world, orders));
  const promised = [...staying.flatMap(({ slices }) => slices), ...[...releasing, ...untouched].map(sliceOf)];
  const lost = (world.seen ?? []).filter((gpu) => gpu.health !== "ok");
  const room = createFleetRoom({ nodes: world.nodes, held: promised, lost, closed: orders.closed, quarantined: world.quarantined });

  const standing = staying.flatMap((candidate) => settle(candidate, room));
  // Only now: a process of the past keeps newcomers away, and moves nobody who is promised the place.
  room.hold(strangers(world.seen ?? [], promised));
  const settled = new Set(standing.map(({ request }) => request.instance));
  const open = world.wanted.filter((request) => !settled.has(request.instance));
  const ordered = placeByOrder(open.toSorted(byPromise), { standing, orders, room });
  const placements = placeInto(
    open.filter(({ instance }) => !ordered.settled.has(instance)),
    room,
    look,
  );
  return {
    desired: [
      ...placedPartitions([...standing, ...ordered.placed, ...placements.placed], room),
      ...refusedPartitions([...ordered.refused, ...placements.refused]),
    ],
    releasing: releasing.map((partition) => ({ ...partition, phase: "Releasing" })),
    removed: left.filter((partition) => !isHeld(partition, world.seen)),
  };
}

interface Candidate {
  readonly request: InstanceRequest;
  readonly members: readonly PlacedMember[];
  /** What it is promised now, which may differ from what it wants now. */
  readonly slices: readonly HeldSlice[];
  readonly isHeld: boolean;
  /** false = it runs on another number of GPUs than it wants now. */
  readonly isWhole: boolean;
  /** It runs where it must not stay, and why; null = it may. */
  readonly leaving: string | null;
}
/** Where somebody is who had a place before. */
type Standing = PlacedInstance & { readonly leaving: string | null };

/** An instance that has its GPUs, none of them quarantined for it; other than as many as it wants only while it runs on them. */
function stayingOf(
  request: InstanceRequest,
  known: ReadonlyMap<PartitionName, AnyPartition>,
  world: PartitionWorld,
  orders: RelocationOrders,
): readonly Candidate[] {
  const own = namesOf(request)
    .flatMap((name) => known.get(name) ?? [])
    .filter(isPlaced);
  const isShunned = own.some((partition) =>
    world.quarantined.some((entry) => entry.service === request.service && placeKey(entry) === placeKey(partition)),
  );
  const isInUse = own.some((partition) => isHeld(partition, world.seen));
  const isWhole = own.length === request.memberBytes.length;
  const order = orders.of.get(request.instance);
  const leaving = order?.isDue === true && own.some((partition) => mustLeave(partition, order)) ? order.why : null;
  if (isShunned || ((!isWhole || leaving !== null) && !isInUse)) return [];
  const members = own.map(({ node, gpu, mode, mig, memoryBytes, computePercent }) => ({
    node,
    gpu,
    mode,
    mig,
    memoryBytes,
    computePercent,
  }));
  const slices = own.map((partition) => ({ ...sliceOf(partition), level: request.level, hostBytes: request.hostBytes }));
  return [{ request, members, slices, isHeld: isInUse, isWhole, leaving }];
}

/** Gives what is wanted now where it stands, if that fits; else what runs keeps what it has, and what does not run moves. */
function settle({ request, members, slices, isHeld: mustStay, isWhole, leaving }: Candidate, room: FleetRoom): readonly Standing[] {
  room.release(request.instance, members);
  const fitting = isWhole && leaving === null ? fitAt(request, members, room) : null;
  if (fitting !== null) {
    room.hold(slicesOf(request, fitting));
    return [{ request, members: fitting, leaving }];
  }
  if (!mustStay) return [];
  room.hold(slices);
  return [{ request, members, leaving }];
}

function placedPartitions(
  placed: readonly (PlacedInstance & { readonly leaving?: string | null })[],
  room: FleetRoom,
): PartitionPlan["desired"] {
  return placed.flatMap(({ request, members, leaving = null }) => {
    const node = members[0] === undefined ? null : room.nodeOf(members[0].node);
    const notices = node === null ? [] : noticesOf(request, node, room);
    return members.map((member, index) => ({
      partition: { ...claimOf(request, index), ...member, leaving, phase: "Bound" as const },
      notices,
    }));
  });
}

function refusedPartitions(refused: Placements["refused"]): PartitionPlan["desired"] {
  return refused.flatMap(({ request, refusal }) => {
    const unplaced = { node: null, gpu: null, mig: null, leaving: null, phase: "Pending" } as const;
    const { computePercent } = request;
    const asked = { mode: preferredMode(request), computePercent, refusal: { code: refusal.code, ...explainRefusal(refusal) } };
    return request.memberBytes.map((memoryBytes, index) => ({
      partition: { ...claimOf(request, index), ...asked, memoryBytes, ...unplaced },
      notices: [],
    }));
  });
}

function claimOf(request: InstanceRequest, index: number) {
  const { tenant, service, instance } = request;
  return { name: nameOf(request, index), tenant, service, instance };
}

/** What a partition without a GPU is written down as: the mode that it would get on a GPU that can do all of them. */
function preferredMode({ isExclusive, isolation }: InstanceRequest): PartitionMode {
  if (isExclusive) return "exclusive";
  return isolation === "strong" ? "mig" : isolation === "medium" ? "vgpu" : "mps";
}

/** Deterministic, so that a second writer would meet the first one's object. */
const nameOf = (request: Pick<InstanceRequest, "tenant" | "instance">, index: number): PartitionName =>
  partitionName(`${request.tenant}-gpu-partition-${request.instance}-${index + 1}`);

const namesOf = oncePer((request: InstanceRequest): readonly PartitionName[] =>
  request.memberBytes.map((_, index) => nameOf(request, index)),
);

export const isPlaced = (partition: AnyPartition): partition is GpuPartition => partition.node !== null;

/** Whether its instance has bytes there; where the driver does not answer, whoever is placed may have. */
export function isHeld(partition: AnyPartition, seen: readonly SeenGpu[] | null): boolean {
  if (!isPlaced(partition)) return false;
  return seen === null || holdersOn(seen).has(holderKey(partition.instance, partition));
}

const holdersOn = oncePer(
  (seen: readonly SeenGpu[]): ReadonlySet<string> =>
    new Set(seen.flatMap((gpu) => gpu.holders.map(({ instance }) => holderKey(instance, gpu)))),
);

const holderKey = (instance: InstanceName, place: GpuPlace): string => `${instance} ${placeKey(place)}`;

export function sliceOf(partition: GpuPartition): HeldSlice {
  const { node, gpu, instance, tenant, service, memoryBytes, mode, mig } = partition;
  return { node, gpu, instance, tenant, service, level: null, memoryBytes, mode, mig, hostBytes: 0 };
}

/** Bytes in use that nobody was promised there: processes of the past, until they are gone. */
export function strangers(seen: readonly SeenGpu[], promised: readonly HeldSlice[]): readonly HeldSlice[] {
  const known = new Set(promised.map((slice) => holderKey(slice.instance, slice)));
  return seen.flatMap((gpu) =>
    gpu.holders
      .filter((holder) => !known.has(holderKey(holder.instance, gpu)))
      .map(({ instance, usedBytes }) => ({
        node: gpu.node,
        gpu: gpu.gpu,
        instance,
        tenant: null,
        service: null,
        level: null,
        memoryBytes: usedBytes,
        mode: null,
        mig: null,
        hostBytes: 0,
      })),
  );
}
