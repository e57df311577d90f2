import { matchesNode } from "../api/match-node.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { FleetRoom } from "./fleet-room.ts";
import { memberOf, offerStanding, verdictsAt, type GpuOffer } from "./gpu-offer.ts";
import { mayUse, offerOfNode, rankOfOffer } from "./node-offer.ts";
import { bestPlace, byRank, rankNode, type RankedNode } from "./place-index.ts";
import { companionsOf } from "./proximity.ts";
import { isOverCap, type InstanceRequest, type PlacedMember, type PlacementRefusal } from "./placement-request.ts";

/** The best GPUs of one node for an instance, or what stands in its way. Two of one service never share a GPU. */
export function chooseGpus(request: InstanceRequest, room: FleetRoom): Result<readonly PlacedMember[], PlacementRefusal> {
  const neededBytes = Math.max(...request.memberBytes);
  if (request.capBytes !== null && isOverCap(request))
    return err({ code: "CAP_EXCEEDED", instance: request.instance, neededBytes, capBytes: request.capBytes });
  const best = bestPlace(request, room);
  return best === null ? err(refusalOf(request, room)) : ok(candidateOf(request, best, room).members);
}

/** Why no node can take it. */
function refusalOf(request: InstanceRequest, room: FleetRoom): PlacementRefusal {
  const matching = room.matching(request);
  if (matching.length === 0) return noMatchingNode(request, room);
  const fitting = matching.filter((node) => offersOn(request, node, room).length >= request.memberBytes.length);
  if (fitting.length === 0) return noGpu(request, matching, room);
  const freeBytes = Math.max(...fitting.map((node) => room.freeHostBytes(node)));
  return { code: "NO_HOST_MEMORY", instance: request.instance, neededBytes: request.hostBytes, freeBytes };
}

/** A node that can take an instance. */
export interface Candidate {
  readonly members: readonly PlacedMember[];
  readonly node: GpuNode;
  /** Compared from the left; smaller is better. What each place in it means: `explain-candidates.ts`. */
  readonly rank: readonly number[];
}

/** @param nodes each of them can take it. @returns the best first, which is the one that `chooseGpus` chooses. */
export function rankedCandidates(request: InstanceRequest, nodes: readonly GpuNode[], room: FleetRoom): readonly Candidate[] {
  const companions = companionsOf(request, room);
  return nodes
    .map((node) => rankNode(request, { node, ...rankOfOffer(offerOfNode(request, node, room)) }, { companions, room }))
    .toSorted(byRank)
    .map((ranked) => candidateOf(request, ranked, room));
}

const candidateOf = (request: InstanceRequest, { node, ...ranked }: RankedNode, room: FleetRoom): Candidate => ({
  members: offerOfNode(request, node, room).chosen.map((chosen, index) => memberOf(chosen, request.memberBytes[index] ?? 0)),
  node,
  rank: [...ranked.nearness, ranked.strandedPercent, ranked.zoneUsedPercent, ...ranked.rank],
});

/** What the GPUs of a node would give it, in the order of their indexes; those that cannot are left out. */
export const offersOn = (request: InstanceRequest, node: GpuNode, room: FleetRoom): readonly GpuOffer[] =>
  offerOfNode(request, node, room).gpus;

/** What an instance that stands there already is given now, in the order of its members; null = these GPUs do not do any more. */
export function fitAt(request: InstanceRequest, members: readonly PlacedMember[], room: FleetRoom): readonly PlacedMember[] | null {
  const node = members[0] === undefined ? null : room.nodeOf(members[0].node);
  if (node === null || !matchesNode(node, request) || room.freeHostBytes(node) < request.hostBytes) return null;
  if (isOverCap(request)) return null;
  const fitting = members.flatMap((member, index) => {
    const gpu = member.node === node.name ? room.gpuAt(member) : null;
    if (gpu === null || !mayUse(request, gpu, room)) return [];
    const offer = offerStanding(request, gpu, member);
    return offer.ok ? [memberOf(offer.value, request.memberBytes[index] ?? 0)] : [];
  });
  return fitting.length === members.length ? fitting : null;
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
  const mixed = refused.find(({ code, gpu }) => code === "TENANTS_MIXED" && gpu.freeBytes >= neededBytes);
  if (mixed !== undefined) {
    const why = mixed.verdicts.find((verdict) => verdict.verdict === "refused" && verdict.code === "TENANTS_MIXED")?.why ?? "";
    return { code: "TENANTS_MIXED", instance, gpu: { node: mixed.gpu.node, gpu: mixed.gpu.gpu }, why };
  }
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
