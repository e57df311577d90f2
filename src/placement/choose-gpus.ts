import type { GpuNode } from "../api/gpu-node.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { FleetRoom, GpuRoom } from "./fleet-room.ts";
import { memberOf, offerAt, offerStanding, verdictsAt, type GpuOffer } from "./gpu-offer.ts";
import { proximityOf } from "./proximity.ts";
import { placeKey, type InstanceRequest, type PlacedMember, type PlacementRefusal } from "./placement-request.ts";

/** The best GPUs of one node for an instance, or what stands in its way. Two of one service never share a GPU. */
export function chooseGpus(request: InstanceRequest, room: FleetRoom): Result<readonly PlacedMember[], PlacementRefusal> {
  const neededBytes = Math.max(...request.memberBytes);
  if (request.capBytes !== null && neededBytes > request.capBytes)
    return err({ code: "CAP_EXCEEDED", instance: request.instance, neededBytes, capBytes: request.capBytes });
  const matching = room.matching(request);
  if (matching.length === 0) return err(noMatchingNode(request, room));
  const fitting = matching.filter((node) => offersOn(request, node, room).length >= request.memberBytes.length);
  if (fitting.length === 0) return err(noGpu(request, matching, room));
  const hosting = fitting.filter((node) => room.freeHostBytes(node) >= request.hostBytes);
  if (hosting.length === 0) {
    const freeBytes = Math.max(...fitting.map((node) => room.freeHostBytes(node)));
    return err({ code: "NO_HOST_MEMORY", instance: request.instance, neededBytes: request.hostBytes, freeBytes });
  }
  const [best] = rankedCandidates(request, hosting, room);
  return best === undefined ? err(noGpu(request, matching, room)) : ok(best.members);
}

/** A node that can take an instance. */
export interface Candidate {
  readonly members: readonly PlacedMember[];
  readonly node: GpuNode;
  /** Compared from the left; smaller is better. What each place in it means: `explain-candidates.ts`. */
  readonly rank: readonly number[];
}

/** @param nodes each of them can take it. @returns the best first. */
export const rankedCandidates = (request: InstanceRequest, nodes: readonly GpuNode[], room: FleetRoom): readonly Candidate[] =>
  nodes.map((node) => candidateOf(request, node, room)).toSorted(byRank);

function candidateOf(request: InstanceRequest, node: GpuNode, room: FleetRoom): Candidate {
  const chosen = offersOn(request, node, room).toSorted(byFit).slice(0, request.memberBytes.length);
  const proximity = proximityOf(request, node, room);
  const [first] = chosen;
  const rank = [
    proximity.sameNodeCount,
    // A hot instance on spot is lost without a fault; the others are there for that day.
    request.level === "hot" && node.capacityType === "spot" ? 1 : 0,
    proximity.sameZoneCount,
    // Keep whole GPUs whole, and large ones for those who need them.
    request.isExclusive ? 0 : first === undefined || first.gpu.holderCount === 0 ? 1 : 0,
    first?.wasteMilli ?? 0,
    first?.tightness ?? 0,
    // Then fill nodes that are in use already: the free node stays free for a large instance.
    room.gpusOf(node.name).filter((gpu) => gpu.holderCount === 0).length,
  ];
  return { members: chosen.map((offer, index) => memberOf(offer, request.memberBytes[index] ?? 0)), node, rank };
}

/** What the GPUs of a node would give it, in the order of their indexes; those that cannot are left out. */
export const offersOn = (request: InstanceRequest, node: GpuNode, room: FleetRoom): readonly GpuOffer[] =>
  room.gpusOf(node.name).flatMap((gpu) => (mayUse(request, gpu, room) && !room.isClosed(gpu) ? (offerAt(request, gpu) ?? []) : []));

/** Whether the instance may be there at all, room or not. */
export function mayUse(request: InstanceRequest, gpu: GpuRoom, room: FleetRoom): boolean {
  if (gpu.isTaken || room.isQuarantined(gpu, request.service)) return false;
  return request.isExclusive ? gpu.holderCount === 0 : !gpu.services.has(request.service);
}

/** What an instance that stands there already is given now, in the order of its members; null = these GPUs do not do any more. */
export function fitAt(request: InstanceRequest, members: readonly PlacedMember[], room: FleetRoom): readonly PlacedMember[] | null {
  const node = room.matching(request).find((candidate) => candidate.name === members[0]?.node);
  if (node === undefined || room.freeHostBytes(node) < request.hostBytes) return null;
  if (request.capBytes !== null && Math.max(...request.memberBytes) > request.capBytes) return null;
  const gpus = room.gpusOf(node.name);
  const fitting = members.flatMap((member, index) => {
    const gpu = gpus.find((candidate) => placeKey(candidate) === placeKey(member));
    if (gpu === undefined || !mayUse(request, gpu, room)) return [];
    const offer = offerStanding(request, gpu, member);
    return offer.ok ? [memberOf(offer.value, request.memberBytes[index] ?? 0)] : [];
  });
  return fitting.length === members.length ? fitting : null;
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

function byRank(left: Candidate, right: Candidate): number {
  for (const [index, value] of left.rank.entries()) {
    const difference = value - (right.rank[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.node.name < right.node.name ? -1 : 1;
}

function noMatchingNode(request: InstanceRequest, room: FleetRoom): PlacementRefusal {
  const labels = Object.entries(request.nodeSelector).map(([name, value]) => `${name}: ${value}`);
  const wanted = [...labels, ...(request.capacityType === null ? [] : [`capacityType ${request.capacityType}`])].join(", ");
  return { code: "NO_MATCHING_NODE", instance: request.instance, wanted, nodeCount: room.nodes.length };
}

function noGpu(request: InstanceRequest, matching: readonly GpuNode[], room: FleetRoom): PlacementRefusal {
  const { instance, isolation } = request;
  const neededBytes = Math.max(...request.memberBytes);
  const neededCount = request.memberBytes.length;
  if (request.isExclusive) {
    const freeCount = Math.max(...matching.map((node) => offersOn(request, node, room).length));
    return { code: "NO_EXCLUSIVE_GPU", instance, neededCount, neededBytes, freeCount };
  }
  const open = matching.flatMap((node) => room.gpusOf(node.name)).filter((gpu) => mayUse(request, gpu, room));
  const refused = open.flatMap((gpu) => {
    const verdicts = verdictsAt(request, gpu);
    return verdicts === null ? [] : [{ gpu, ...verdicts }];
  });
  const nearest = refused.find(({ code }) => code === "GEOMETRY");
  if (nearest !== undefined) {
    const why = nearest.verdicts.find(({ mode }) => mode === "mig")?.why ?? "";
    return { code: "GEOMETRY", instance, neededBytes, gpu: { node: nearest.gpu.node, gpu: nearest.gpu.gpu }, why };
  }
  if (refused.length > 0 && refused.every(({ code }) => code === "ISOLATION_UNAVAILABLE")) {
    const modes = [...new Set(matching.flatMap(({ gpus }) => gpus.flatMap((gpu) => gpu.modes)))].toSorted();
    return { code: "ISOLATION_UNAVAILABLE", instance, isolation, modes };
  }
  return { code: "NO_CAPACITY", instance, neededBytes, freeBytes: Math.max(0, ...open.map((gpu) => gpu.freeBytes)) };
}
