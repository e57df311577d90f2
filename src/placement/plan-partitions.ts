import type { GpuNode } from "../api/gpu-node.ts";
import type { GpuPartition, PartitionMode, UnplacedPartition } from "../api/gpu-partition.ts";
import { oncePer } from "../base/once-per.ts";
import { createRemembered } from "../base/remember.ts";
import { partitionName, type InstanceName, type PartitionName, type ServiceName } from "../base/ids.ts";
import { explainRefusal } from "./explain-refusal.ts";
import { createFleetRoom, type FleetRoom } from "./fleet-room.ts";
import { NO_ORDERS, type RelocationOrders } from "./next-relocation.ts";
import { afterMove, moveOutgrown, outgrownNotice, WHY_OUTGROWN, type Outgrown, type OutgrownMoves } from "./move-outgrown.ts";
import { mustLeave, placeByOrder } from "./place-by-order.ts";
import { byPromise, placeInto, type PlacementLook, type Placements } from "./place-instances.ts";
import {
  placeKey,
  type GpuPlace,
  type HeldSlice,
  type InstanceRequest,
  type PlacedInstance,
  type PlacementNotice,
} from "./placement-request.ts";
import { noticesOf } from "./proximity.ts";
import { settleStanding, type Standing, type StandingCandidate } from "./settle-standing.ts";

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

export interface DesiredPartition {
  readonly partition: AnyPartition;
  readonly notices: readonly PlacementNotice[];
}

export interface PartitionPlan {
  /** What instances are promised, member by member; placed ones are to be bound. */
  readonly desired: readonly DesiredPartition[];
  /** Those that run on less than they want, and where they go. */
  readonly outgrown: readonly Outgrown[];
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

  const staying = inOrder(world.wanted).flatMap((request) => stayingOf(request, known, world, orders));
  const lost = (world.seen ?? []).filter((gpu) => gpu.health !== "ok");
  const facts = { nodes: world.nodes, lost, quarantined: world.quarantined };
  const { standing, held } = settleStanding(staying, [...releasing, ...untouched].map(sliceOf), facts);
  const room = createFleetRoom({ ...facts, held, closed: orders.closed, wanted: world.wanted });
  // Only now: a process of the past keeps newcomers away, and moves nobody who is promised the place.
  room.hold(strangers(world.seen ?? [], [...staying.flatMap(({ slices }) => slices), ...[...releasing, ...untouched].map(sliceOf)]));
  const settled = new Set(standing.map(({ request }) => request.instance));
  const open = world.wanted.filter((request) => !settled.has(request.instance));
  const ordered = placeByOrder(open.toSorted(byPromise), { standing, orders, room });
  const newcomers = open.filter(({ instance }) => !ordered.settled.has(instance));
  // Who was told to go comes before newcomers: else his service would drain him for nothing.
  const outgrown = standing.filter(({ isOutgrown, request }) => isOutgrown && !orders.of.has(request.instance));
  const hasted = outgrown.filter((one) => !one.isRunning || isTold(one.request, known));
  const before = moveOutgrown(hasted, { standing, room, before: ordered.arrived });
  const placements = placeInto(newcomers, room, look);
  const moves = moveOutgrown(
    outgrown.filter((one) => !hasted.includes(one)),
    { standing, room, before },
  );
  const settledStanding = standing.map((one) =>
    ordered.stuck.has(one.request.instance) ? { ...one, leaving: null } : afterMove(one, moves),
  );
  return {
    desired: [
      ...placedPartitions([...settledStanding, ...ordered.placed, ...placements.placed], room, moves),
      ...refusedPartitions([...ordered.refused, ...placements.refused]),
    ],
    outgrown: [...moves.values()].filter(({ standing: { isRunning }, to }) => isRunning || to === null),
    releasing: releasing.map((partition) => ({ ...partition, phase: "Releasing" })),
    removed: left.filter((partition) => !isHeld(partition, world.seen)),
  };
}

const isTold = (request: InstanceRequest, known: ReadonlyMap<PartitionName, AnyPartition>): boolean =>
  namesOf(request).some((name) => known.get(name)?.leaving === WHY_OUTGROWN);

const inOrder = oncePer((wanted: readonly InstanceRequest[]) => wanted.toSorted(byPromise));

/** An instance that has its GPUs, none of them quarantined for it; other than as many as it wants only while it runs on them. */
function stayingOf(
  request: InstanceRequest,
  known: ReadonlyMap<PartitionName, AnyPartition>,
  world: PartitionWorld,
  orders: RelocationOrders,
): readonly StandingCandidate[] {
  const own = namesOf(request)
    .flatMap((name) => known.get(name) ?? [])
    .filter(isPlaced);
  const isShunned = own.some((partition) =>
    world.quarantined.some((entry) => entry.service === request.service && placeKey(entry) === placeKey(partition)),
  );
  const isInUse = own.some((partition) => isHeld(partition, world.seen));
  const isWhole = own.length === request.memberBytes.length;
  const order = orders.of.get(request.instance);
  const isDue = order?.isDue === true && own.some((partition) => mustLeave(partition, order));
  // A wish that has something keeps it until it has what room is made for.
  const leaving = isDue && (isInUse || request.instance !== orders.wish) ? order.why : null;
  if (isShunned || ((!isWhole || leaving !== null) && !isInUse)) return [];
  return [candidatesOf(request)([...own, isInUse, leaving], () => candidateOf(request, own, { isHeld: isInUse, isWhole, leaving }))];
}

const candidatesOf = oncePer((_request: InstanceRequest) => createRemembered<StandingCandidate>());

function candidateOf(
  request: InstanceRequest,
  own: readonly GpuPartition[],
  state: Pick<StandingCandidate, "isHeld" | "isWhole" | "leaving">,
): StandingCandidate {
  const members = own.map(({ node, gpu, mode, mig, memoryBytes, computePercent }) => ({
    node,
    gpu,
    mode,
    mig,
    memoryBytes,
    computePercent,
  }));
  const slices = own.map((partition) => ({ ...sliceOf(partition), level: request.level, hostBytes: request.hostBytes }));
  return { request, members, slices, ...state };
}

function placedPartitions(
  placed: readonly (PlacedInstance & Partial<Standing>)[],
  room: FleetRoom,
  moves: OutgrownMoves,
): PartitionPlan["desired"] {
  const services = new Map<ServiceName, object>();
  return placed.flatMap(({ request, members, leaving = null, isOutgrown = false }) => {
    const move = isOutgrown ? (moves.get(request.instance) ?? null) : null;
    const node = members[0] === undefined ? null : room.nodeOf(members[0].node);
    const rest = services.get(request.service) ?? placesOfService(request, room);
    services.set(request.service, rest);
    return entriesOf(request)([members, leaving, move === null ? null : formatMove(move), node, rest], () => {
      const near = node === null ? [] : noticesOf(request, node, room);
      const notices = move === null ? near : [...near, outgrownNotice(move)];
      return members.map((member, index) => ({
        partition: { ...claimOf(request, index), ...member, leaving, phase: "Bound" as const },
        notices,
      }));
    });
  });
}

const formatMove = ({ to, stays }: Outgrown): string => `${stays} ${(to ?? []).map(placeKey).join(" ")}`;

/** Stands for where all of its service is: the same object as long as all of that is as it was. */
function placesOfService(request: InstanceRequest, room: FleetRoom): object {
  const held = room.slicesOf(request.service);
  return placesBefore(request)([...held, ...held.map(({ node }) => room.nodeOf(node))], () => ({}));
}

const placesBefore = oncePer((_request: InstanceRequest) => createRemembered<object>());

/** What stands as before, with the rest of its service as before, is said by the very same entries. */
const entriesOf = oncePer((_request: InstanceRequest) => createRemembered<readonly DesiredPartition[]>());

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
  return seen === null || (holdingsIn(seen).get(partition.instance) ?? []).some((place) => isSamePlace(place, partition));
}

/** Where each instance has bytes. */
const holdingsIn = oncePer((seen: readonly SeenGpu[]): ReadonlyMap<InstanceName, readonly GpuPlace[]> => {
  const holdings = new Map<InstanceName, GpuPlace[]>();
  for (const gpu of seen)
    for (const { instance } of gpu.holders) {
      const places = holdings.get(instance);
      if (places === undefined) holdings.set(instance, [gpu]);
      else places.push(gpu);
    }
  return holdings;
});

const isSamePlace = (one: GpuPlace, other: GpuPlace): boolean => one.gpu === other.gpu && one.node === other.node;

export const sliceOf = oncePer((partition: GpuPartition): HeldSlice => {
  const { node, gpu, instance, tenant, service, memoryBytes, mode, mig } = partition;
  return { node, gpu, instance, tenant, service, level: null, memoryBytes, mode, mig, hostBytes: 0 };
});

/** Bytes in use that nobody was promised there: processes of the past, until they are gone. */
export function strangers(seen: readonly SeenGpu[], promised: readonly HeldSlice[]): readonly HeldSlice[] {
  const known = Map.groupBy(promised, ({ instance }) => instance);
  return seen.flatMap((gpu) =>
    gpu.holders
      .filter(({ instance }) => !(known.get(instance) ?? []).some((slice) => isSamePlace(slice, gpu)))
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
