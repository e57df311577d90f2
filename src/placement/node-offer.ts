import type { GpuNode } from "../api/gpu-node.ts";
import { oncePer } from "../base/once-per.ts";
import type { FleetRoom, GpuRoom } from "./fleet-room.ts";
import { offerAt, type GpuOffer } from "./gpu-offer.ts";
import type { InstanceRequest } from "./placement-request.ts";
import { shapeOf } from "./request-shape.ts";
import { NodeLeft } from "./node-left.ts";
import { kindOf, type NodeDemand } from "./wanted-mix.ts";

/** What the GPUs of a node are to an instance, wherever the rest of its service stands. */
export interface NodeOffer {
  /** In the order of their indexes; GPUs that cannot be had are left out. */
  readonly gpus: readonly GpuOffer[];
  /** The best of them, as many as it wants or all that there are. */
  readonly chosen: readonly GpuOffer[];
  /** What taking those does to what idles there: see `NodeLeft`. 0 where it is not known what is wanted. Smaller is better. */
  readonly strandedPercent: number;
  /** Compared after that, from the left; smaller is better. */
  readonly rank: readonly number[];
}

export function offerOfNode(request: InstanceRequest, node: GpuNode, room: FleetRoom): NodeOffer {
  if (!room.nodesKnownTo(request.service).has(node.name)) return newcomerOffer(request, node, room);
  const gpus = room.gpusOf(node.name);
  const offers = offersOf(request, gpus, (gpu) => mayUse(request, gpu, room) && !room.isClosed(gpu));
  return makeOffer(request, { gpus, offers, left: lookAt(gpus, node, room).left });
}

const offersOf = (request: InstanceRequest, gpus: readonly GpuRoom[], isOpen: (gpu: GpuRoom) => boolean): readonly GpuOffer[] =>
  gpus.flatMap((gpu) => (isOpen(gpu) ? (offerAt(request, gpu) ?? []) : []));

/** Whether the instance may be there at all, room or not. */
export function mayUse(request: InstanceRequest, gpu: GpuRoom, room: FleetRoom): boolean {
  if (room.isQuarantined(gpu, request.service)) return false;
  return mayNewcomerUse(request, gpu) && (request.isExclusive || !gpu.services.has(request.service));
}

const mayNewcomerUse = (request: InstanceRequest, gpu: GpuRoom): boolean => !gpu.isTaken && (!request.isExclusive || gpu.holderCount === 0);

/**
 * What a node is to an instance whose service has nothing there. Of all that ask for the same it is the same: so it is worked out once,
 * until somebody comes to the node or goes.
 */
export function newcomerOffer(request: InstanceRequest, node: GpuNode, room: FleetRoom): NodeOffer {
  const gpus = room.gpusOf(node.name);
  const { left, byShape } = lookAt(gpus, node, room);
  const shape = shapeOn(node, request);
  const known = byShape.get(shape);
  if (known !== undefined) return known;
  const made = makeOffer(request, { gpus, offers: newcomerOffers(request, { node, gpus, room }), left });
  remember(byShape, shape, made);
  return made;
}

const shapeOn = ({ unsafeToolkit }: GpuNode, request: InstanceRequest): string =>
  unsafeToolkit === null ? shapeOf(request) : `${shapeOf(request)} ${request.tenant}`;

/** Also when something else is wanted of the fleet, they are the same. */
function newcomerOffers(
  request: InstanceRequest,
  { node, gpus, room }: { readonly node: GpuNode; readonly gpus: readonly GpuRoom[]; readonly room: FleetRoom },
): readonly GpuOffer[] {
  const known = offersByShape(gpus);
  const shape = shapeOn(node, request);
  const offers = known.get(shape) ?? offersOf(request, gpus, (gpu) => mayNewcomerUse(request, gpu) && !room.isClosed(gpu));
  remember(known, shape, offers);
  return offers;
}

/** Instances of one level of a service come one after another, so few shapes are asked for at a time. */
const SHAPES_MAX = 32;

function remember<Value>(known: Map<string, Value>, shape: string, value: Value): void {
  if (known.size >= SHAPES_MAX) known.clear();
  known.set(shape, value);
}

const offersByShape = oncePer((_gpus: readonly GpuRoom[]) => new Map<string, readonly GpuOffer[]>());

/** A node in one state, to those who want what is wanted now. */
interface Look {
  /** Made when first asked: most full nodes offer nothing. null = it is not known what is wanted. */
  readonly left: () => NodeLeft | null;
  readonly byShape: Map<string, NodeOffer>;
}

function lookAt(gpus: readonly GpuRoom[], node: GpuNode, room: FleetRoom): Look {
  const looks = looksAt(gpus);
  const demand = room.wanted?.at(node) ?? null;
  const known = looks.get(demand);
  if (known !== undefined) return known;
  let made: NodeLeft | null = null;
  const left = demand === null ? () => null : () => (made ??= new NodeLeft(gpus, demand));
  const look: Look = { left, byShape: new Map() };
  if (looks.size >= LOOKS_MAX) looks.clear();
  looks.set(demand, look);
  return look;
}

/** Of rooms in which nothing is known to be wanted, of what is wanted now, and of what was before. */
const LOOKS_MAX = 2;

const looksAt = oncePer((_gpus: readonly GpuRoom[]) => new Map<NodeDemand | null, Look>());

/** How a node stands among those that could take an instance. */
export interface NodeRank {
  /** GPUs that the instance could have, not only as many as it wants. */
  readonly gpuCount: number;
  /** Both as of the offer. */
  readonly strandedPercent: number;
  readonly rank: readonly number[];
}

export const rankOfOffer = ({ gpus, strandedPercent, rank }: NodeOffer): NodeRank => ({ gpuCount: gpus.length, strandedPercent, rank });

/** As the rank of `newcomerOffer`. Unused nodes of one kind rank alike, so most of a large fleet is never looked at GPU by GPU. */
export function newcomerRank(request: InstanceRequest, node: GpuNode, room: FleetRoom): NodeRank {
  if (!room.isUnused(node)) return rankOfOffer(newcomerOffer(request, node, room));
  const ranks = unusedRanks(room);
  const kind = room.wanted?.at(node) ?? kindOf(node);
  const ofKind = ranks.get(kind) ?? new Map<string, NodeRank>();
  ranks.set(kind, ofKind);
  const shape = shapeOf(request);
  const known = ofKind.get(shape) ?? rankOfOffer(newcomerOffer(request, node, room));
  ofKind.set(shape, known);
  return known;
}

/** By the kind of node, then by shape. */
const unusedRanks = oncePer((_room: FleetRoom) => new Map<NodeDemand | string, Map<string, NodeRank>>());

function makeOffer(
  request: InstanceRequest,
  { gpus, offers, left }: { readonly gpus: readonly GpuRoom[]; readonly offers: readonly GpuOffer[]; readonly left: Look["left"] },
): NodeOffer {
  const then = offers.length === 0 ? null : left();
  const alone = then?.eachStrandedPercent(offers);
  const ranked = offers.map((offer, index) => ({ offer, strandedPercent: alone?.[index] ?? 0 })).toSorted(byFit);
  const chosen = ranked.slice(0, request.memberBytes.length).map(({ offer }) => offer);
  const strandedPercent = chosen.length === 1 ? ranked[0]?.strandedPercent : then?.strandedPercent(chosen);
  const [first] = chosen;
  const rank = [
    // Keep whole GPUs whole, and large ones for those who need them.
    request.isExclusive ? 0 : first === undefined || first.gpu.holderCount === 0 ? 1 : 0,
    first?.wasteMilli ?? 0,
    first?.tightness ?? 0,
    // Then fill nodes that are in use already: the free node stays free for a large instance.
    gpus.filter((gpu) => gpu.holderCount === 0).length,
  ];
  return { gpus: offers, chosen, strandedPercent: strandedPercent ?? 0, rank };
}

interface RankedOffer {
  readonly offer: GpuOffer;
  readonly strandedPercent: number;
}

/** The GPU whose remains are of most use; of equals, shared: the one in use that loses least. Exclusive: the smallest that is large enough. Then by index. */
function byFit(left: RankedOffer, right: RankedOffer): number {
  const isUnused = ({ offer: { gpu } }: RankedOffer): number => (gpu.holderCount === 0 ? 1 : 0);
  return (
    left.strandedPercent - right.strandedPercent ||
    isUnused(left) - isUnused(right) ||
    left.offer.wasteMilli - right.offer.wasteMilli ||
    left.offer.tightness - right.offer.tightness ||
    left.offer.gpu.gpu - right.offer.gpu.gpu
  );
}
