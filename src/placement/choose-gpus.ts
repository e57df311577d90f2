import type { GpuNode } from "../api/gpu-node.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { FleetRoom, GpuRoom } from "./fleet-room.ts";
import { proximityOf } from "./proximity.ts";
import { placeKey, type GpuPlace, type InstanceRequest, type PlacementRefusal } from "./placement-request.ts";

/** The best GPUs of one node for an instance, or what stands in its way. Two of one service never share a GPU. */
export function chooseGpus(request: InstanceRequest, room: FleetRoom): Result<readonly GpuPlace[], PlacementRefusal> {
  const matching = room.matching(request);
  if (matching.length === 0) return err(noMatchingNode(request, room));
  const fitting = matching.filter((node) => usableGpus(request, node, room).length >= request.memberBytes.length);
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
  readonly members: readonly GpuPlace[];
  readonly node: GpuNode;
  /** Compared from the left; smaller is better. What each place in it means: `explain-candidates.ts`. */
  readonly rank: readonly number[];
}

/** @param nodes each of them can take it. @returns the best first. */
export const rankedCandidates = (request: InstanceRequest, nodes: readonly GpuNode[], room: FleetRoom): readonly Candidate[] =>
  nodes.map((node) => candidateOf(request, node, room)).toSorted(byRank);

function candidateOf(request: InstanceRequest, node: GpuNode, room: FleetRoom): Candidate {
  const gpus = usableGpus(request, node, room).toSorted(byFit(request));
  const chosen = gpus.slice(0, request.memberBytes.length);
  const proximity = proximityOf(request, node, room);
  const [first] = chosen;
  const rank = [
    proximity.sameNodeCount,
    // A hot instance on spot is lost without a fault; the others are there for that day.
    request.level === "hot" && node.capacityType === "spot" ? 1 : 0,
    proximity.sameZoneCount,
    // Keep whole GPUs whole, and large ones for those who need them.
    request.isExclusive ? 0 : first === undefined || first.holderCount === 0 ? 1 : 0,
    request.isExclusive ? (first?.memoryBytes ?? 0) : (first?.freeBytes ?? 0),
    // Then fill nodes that are in use already: the free node stays free for a large instance.
    room.gpusOf(node.name).filter((gpu) => gpu.holderCount === 0).length,
  ];
  return { members: chosen.map(({ gpu }) => ({ node: node.name, gpu })), node, rank };
}

export function usableGpus(request: InstanceRequest, node: GpuNode, room: FleetRoom): readonly GpuRoom[] {
  const neededBytes = Math.max(...request.memberBytes);
  return room.gpusOf(node.name).filter((gpu) => isUsable(request, gpu, room) && gpu.freeBytes >= neededBytes);
}

function isUsable(request: InstanceRequest, gpu: GpuRoom, room: FleetRoom): boolean {
  if (gpu.isTaken || room.isQuarantined(gpu, request.service)) return false;
  return request.isExclusive ? gpu.holderCount === 0 : !gpu.services.has(request.service);
}

/** Whether exactly these GPUs would do, in this order: what an instance that stands there already is asked. */
export function fitsAt(request: InstanceRequest, members: readonly GpuPlace[], room: FleetRoom): boolean {
  const node = room.matching(request).find((candidate) => candidate.name === members[0]?.node);
  if (node === undefined || room.freeHostBytes(node) < request.hostBytes) return false;
  const gpus = room.gpusOf(node.name);
  return members.every((place, index) => {
    const gpu = gpus.find((candidate) => placeKey(candidate) === placeKey(place));
    return gpu !== undefined && isUsable(request, gpu, room) && gpu.freeBytes >= (request.memberBytes[index] ?? 0);
  });
}

/** Shared: the fullest GPU that still fits. Exclusive: the smallest that is large enough. Then by index. */
const byFit =
  (request: InstanceRequest) =>
  (left: GpuRoom, right: GpuRoom): number => {
    if (request.isExclusive) return left.memoryBytes - right.memoryBytes || left.gpu - right.gpu;
    const isUnused = (gpu: GpuRoom): number => (gpu.holderCount === 0 ? 1 : 0);
    return isUnused(left) - isUnused(right) || left.freeBytes - right.freeBytes || left.gpu - right.gpu;
  };

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
  const { instance } = request;
  const neededBytes = Math.max(...request.memberBytes);
  const neededCount = request.memberBytes.length;
  if (request.isExclusive) {
    const freeCount = Math.max(...matching.map((node) => usableGpus(request, node, room).length));
    return { code: "NO_EXCLUSIVE_GPU", instance, neededCount, neededBytes, freeCount };
  }
  const open = matching.flatMap((node) => room.gpusOf(node.name)).filter((gpu) => isUsable(request, gpu, room));
  return { code: "NO_CAPACITY", instance, neededBytes, freeBytes: Math.max(0, ...open.map((gpu) => gpu.freeBytes)) };
}
