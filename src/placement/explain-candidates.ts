import type { GpuNode } from "../api/gpu-node.ts";
import { formatBytes } from "../base/bytes.ts";
import type { NodeName } from "../base/ids.ts";
import { offersOn, rankedCandidates, type Candidate } from "./choose-gpus.ts";
import type { NoPartition } from "./choose-partition.ts";
import type { FleetRoom, GpuRoom } from "./fleet-room.ts";
import { verdictsAt } from "./gpu-offer.ts";
import type { InstanceRequest } from "./placement-request.ts";

/** What one node is to an instance that looks for a place. */
export interface CandidateReport {
  readonly node: NodeName;
  readonly verdict: "chosen" | "possible" | "refused";
  /** GPUs that it gets, or would get there; none where it is refused. */
  readonly gpus: readonly number[];
  /** One sentence or two, with the numbers. */
  readonly why: string;
}

/** Of GPUs that stand in the way so many are told of. */
const GPUS_TOLD_MAX = 4;

/** Every node of the fleet once: the chosen one, those that come after it in their order, those that cannot. Says what `chooseGpus` does. */
export function explainCandidates(request: InstanceRequest, room: FleetRoom): readonly CandidateReport[] {
  const refused: CandidateReport[] = [];
  const fitting: GpuNode[] = [];
  for (const node of room.nodes) {
    const why = refusalAt(request, node, room);
    if (why === null) fitting.push(node);
    else refused.push({ node: node.name, verdict: "refused", gpus: [], why });
  }
  const ranked = rankedCandidates(request, fitting, room);
  const [best] = ranked;
  const usable = ranked.map((candidate): CandidateReport => {
    const gpus = candidate.members.map(({ gpu }) => gpu);
    const { name } = candidate.node;
    if (best === undefined || candidate === best) return { node: name, verdict: "chosen", gpus, why: bestOf(ranked.length) };
    return { node: name, verdict: "possible", gpus, why: explainRank(request, candidate, best) };
  });
  return [...usable, ...refused];
}

const bestOf = (count: number): string => (count === 1 ? "The only one that can take it." : `The best of ${count}.`);

/** null = it can take the instance. */
function refusalAt(request: InstanceRequest, node: GpuNode, room: FleetRoom): string | null {
  const { capacityType, nodeSelector, hostBytes } = request;
  if (capacityType !== null && node.capacityType !== capacityType) return `It is ${node.capacityType}; ${capacityType} is asked for.`;
  for (const [label, value] of Object.entries(nodeSelector)) {
    const has = Object.hasOwn(node.labels, label) ? node.labels[label] : undefined;
    if (has !== value) return `Its label ${label} is ${has ?? "absent"}; ${value} is asked for.`;
  }
  const neededCount = request.memberBytes.length;
  const usableCount = offersOn(request, node, room).length;
  if (usableCount < neededCount) return explainGpus(request, { node, room, usableCount });
  const freeBytes = room.freeHostBytes(node);
  if (freeBytes >= hostBytes) return null;
  return `Asleep it keeps ${formatBytes(hostBytes)} in host memory; ${formatBytes(Math.max(0, freeBytes))} of ${formatBytes(node.hostMemoryBytes)} are free.`;
}

function explainGpus(
  request: InstanceRequest,
  { node, room, usableCount }: { readonly node: GpuNode; readonly room: FleetRoom; readonly usableCount: number },
): string {
  const neededCount = request.memberBytes.length;
  const kind = request.isExclusive ? "whole GPU" : "GPU";
  const each = formatBytes(Math.max(...request.memberBytes));
  const gpus = room.gpusOf(node.name);
  const reasons = gpus.flatMap((gpu) => {
    const reason = gpuRefusal(request, gpu, room);
    return reason === null ? [] : [`${gpu.gpu} ${reason}`];
  });
  const lostCount = node.gpus.length - gpus.length;
  if (lostCount > 0) reasons.push(lostCount === 1 ? "1 is lost" : `${lostCount} are lost`);
  const told = reasons.slice(0, GPUS_TOLD_MAX).join(", ");
  const more = reasons.length > GPUS_TOLD_MAX ? `, and ${reasons.length - GPUS_TOLD_MAX} more` : "";
  const detail = reasons.length === 0 ? `it has ${node.gpus.length}` : `${told}${more}`;
  const plural = neededCount === 1 ? "" : "s";
  return `It has ${usableCount} of ${neededCount} ${kind}${plural} with ${each}: ${detail}.`;
}

/** null = nothing stands in the way. */
function gpuRefusal(request: InstanceRequest, gpu: GpuRoom, room: FleetRoom): string | null {
  if (room.isQuarantined(gpu, request.service)) return "is quarantined for the service";
  if (room.isClosed(gpu)) return "is being cut anew";
  if (gpu.isTaken) return "belongs to one instance alone";
  if (request.isExclusive && gpu.holderCount > 0) return `is in use by ${gpu.holderCount}`;
  if (!request.isExclusive && gpu.services.has(request.service)) return "has another of the service";
  const verdicts = verdictsAt(request, gpu);
  if (verdicts === null) return null;
  if (verdicts.code !== "NO_CAPACITY") return `cannot by ${nearestWhy(verdicts)}`;
  return `has ${formatBytes(Math.max(0, gpu.freeBytes))} of ${formatBytes(gpu.memoryBytes)} left`;
}

/** Why the mode that came nearest does not do. */
function nearestWhy({ code, verdicts }: NoPartition): string {
  const nearest = verdicts.find((verdict) => verdict.verdict === "refused" && verdict.code === code) ?? verdicts[0];
  return nearest === undefined ? code : `${nearest.mode}: ${nearest.why.replace(/\.$/, "")}`;
}

/** What a place in `Candidate.rank` means, where a node loses by it. In the order of that list. */
type RankReason = (
  mine: number,
  best: number,
  by: { readonly node: NodeName; readonly isExclusive: boolean; readonly isMig: boolean },
) => string;
const RANK_REASONS: readonly RankReason[] = [
  (mine, best, { node }) => `It has ${mine} of the service on it; ${node} has ${best}.`,
  (_mine, _best, { node }) => `It is spot, which may go without a fault; ${node} is not.`,
  (mine, best, { node }) => `It shares its spot pool with ${mine} of the service; ${node} with ${best}.`,
  (mine, best, { node }) => `Its zone has ${mine} of the service; that of ${node} has ${best}.`,
  (mine, best, { node }) =>
    `Of what idles there, ${lostPercent(mine)} would be of no use to what is wanted of the fleet; on ${node} ${lostPercent(best)}.`,
  (mine, best, { node }) => `Its zone is ${mine} % full, that of ${node} ${best} %: zones are filled alike.`,
  (_mine, _best, { node }) => `It would begin an unused GPU; ${node} has one in use with room.`,
  (mine, best, { node }) =>
    `The smallest share of its GPU that will do is ${mine / 10} % larger than asked; that of ${node} ${best / 10} %.`,
  (mine, best, { node, isExclusive, isMig }) =>
    isMig
      ? `Its GPU keeps less room for other MIG profiles than that of ${node}.`
      : isExclusive
        ? `Its GPU is larger than need be: ${formatBytes(mine)}, that of ${node} ${formatBytes(best)}.`
        : `Its GPU has ${formatBytes(mine)} free, that of ${node} ${formatBytes(best)}: the fuller one is filled first.`,
  (mine, best, { node }) => `It has ${mine} unused GPUs, ${node} ${best}: the fuller node is filled first.`,
];

const lostPercent = (percent: number): string =>
  percent === 0 ? "no more" : `${Math.abs(percent)} % of a GPU ${percent > 0 ? "more" : "less"}`;

function explainRank({ isExclusive }: InstanceRequest, candidate: Candidate, best: Candidate): string {
  const isMig = candidate.members[0]?.mode === "mig";
  for (const [index, mine] of candidate.rank.entries()) {
    const other = best.rank[index] ?? 0;
    if (mine !== other)
      return RANK_REASONS[index]?.(mine, other, { node: best.node.name, isExclusive, isMig }) ?? `${best.node.name} is better.`;
  }
  return `As good as ${best.node.name}, which comes first by name.`;
}
