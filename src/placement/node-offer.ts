import type { GpuNode } from "../api/gpu-node.ts";
import { oncePer } from "../base/once-per.ts";
import type { FleetRoom, GpuRoom } from "./fleet-room.ts";
import { offerAt, type GpuOffer } from "./gpu-offer.ts";
import type { InstanceRequest } from "./placement-request.ts";

/** What the GPUs of a node are to an instance, wherever the rest of its service stands. */
export interface NodeOffer {
  /** In the order of their indexes; GPUs that cannot be had are left out. */
  readonly gpus: readonly GpuOffer[];
  /** The best of them, as many as it wants or all that there are. */
  readonly chosen: readonly GpuOffer[];
  /** Compared from the left; smaller is better. */
  readonly rank: readonly number[];
}

export function offerOfNode(request: InstanceRequest, node: GpuNode, room: FleetRoom): NodeOffer {
  if (!room.nodesKnownTo(request.service).has(node.name)) return newcomerOffer(request, node, room);
  return makeOffer(request, room.gpusOf(node.name), (gpu) =>
    mayUse(request, gpu, room) && !room.isClosed(gpu) ? offerAt(request, gpu) : null,
  );
}

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
  const known = offersByShape(gpus);
  const shape = node.unsafeToolkit === null ? shapeOf(request) : `${shapeOf(request)} ${request.tenant}`;
  const made =
    known.get(shape) ??
    makeOffer(request, gpus, (gpu) => (mayNewcomerUse(request, gpu) && !room.isClosed(gpu) ? offerAt(request, gpu) : null));
  if (known.size >= SHAPES_MAX) known.clear();
  known.set(shape, made);
  return made;
}

/** Instances of one level of a service come one after another, so few shapes are asked for at a time. */
const SHAPES_MAX = 32;

const offersByShape = oncePer((_gpus: readonly GpuRoom[]) => new Map<string, NodeOffer>());

/**
 * All that decides what a node offers to a newcomer: two requests of one shape differ in whose they are, and in which nodes they may use.
 * Whose they are matters on nodes where tenants must not share a GPU; unused ones are to all tenants the same.
 */
export const shapeOf = oncePer(
  ({ isolation, mayBeOversold, computePercent, capBytes, memberBytes, isExclusive }: InstanceRequest): string =>
    JSON.stringify([isolation, mayBeOversold, computePercent, capBytes, memberBytes, isExclusive]),
);

/** How a node stands among those that could take an instance. */
export interface NodeRank {
  /** GPUs that the instance could have, not only as many as it wants. */
  readonly gpuCount: number;
  /** As that of the offer. */
  readonly rank: readonly number[];
}

export const rankOfOffer = ({ gpus, rank }: NodeOffer): NodeRank => ({ gpuCount: gpus.length, rank });

/** As the rank of `newcomerOffer`. Unused nodes of one kind rank alike, so most of a large fleet is never looked at GPU by GPU. */
export function newcomerRank(request: InstanceRequest, node: GpuNode, room: FleetRoom): NodeRank {
  if (!room.isUnused(node)) return rankOfOffer(newcomerOffer(request, node, room));
  const ranks = unusedRanks(room);
  const key = `${kindOf(node)} ${shapeOf(request)}`;
  const known = ranks.get(key) ?? rankOfOffer(newcomerOffer(request, node, room));
  ranks.set(key, known);
  return known;
}

const unusedRanks = oncePer((_room: FleetRoom) => new Map<string, NodeRank>());

const kindOf = oncePer(({ gpus }: GpuNode): string =>
  gpus.map(({ model, memoryBytes, modes }) => `${model} ${memoryBytes} ${modes.join()}`).join(" "),
);

function makeOffer(request: InstanceRequest, gpus: readonly GpuRoom[], offerOf: (gpu: GpuRoom) => GpuOffer | null): NodeOffer {
  const offers = gpus.flatMap((gpu) => offerOf(gpu) ?? []);
  const chosen = offers.toSorted(byFit).slice(0, request.memberBytes.length);
  const [first] = chosen;
  const rank = [
    // Keep whole GPUs whole, and large ones for those who need them.
    request.isExclusive ? 0 : first === undefined || first.gpu.holderCount === 0 ? 1 : 0,
    first?.wasteMilli ?? 0,
    first?.tightness ?? 0,
    // Then fill nodes that are in use already: the free node stays free for a large instance.
    gpus.filter((gpu) => gpu.holderCount === 0).length,
  ];
  return { gpus: offers, chosen, rank };
}

/** Shared: the GPU in use that loses least. Exclusive: the smallest that is large enough. Then by index. */
function byFit(left: GpuOffer, right: GpuOffer): number {
  const isUnused = ({ gpu }: GpuOffer): number => (gpu.holderCount === 0 ? 1 : 0);
  return (
    isUnused(left) - isUnused(right) ||
    left.wasteMilli - right.wasteMilli ||
    left.tightness - right.tightness ||
    left.gpu.gpu - right.gpu.gpu
  );
}
