import type { RelocationPlace } from "../api/gpu-relocation.ts";
import { formatPlacement } from "../api/mig-layout.ts";
import type { InstanceName } from "../base/ids.ts";
import type { Explanation } from "../base/result.ts";
import { explainCandidates, type CandidateReport } from "./explain-candidates.ts";
import { planPartitions, type AnyPartition, type PartitionWorld, type SeenGpu } from "./plan-partitions.ts";
import { byPromise } from "./place-instances.ts";
import { planRelocation } from "./plan-relocation.ts";
import type { NewRelocation } from "./relocation-option.ts";
import { placeKey, type InstanceRequest, type PlacedMember, type PlacementNotice } from "./placement-request.ts";

/** Where one instance stands, would stand, or why it would stand nowhere. */
export interface PlacementReport {
  readonly request: InstanceRequest;
  readonly outcome:
    /** It has its place. `room` = where it would go since it asks for more, or who would be moved for that; null = it keeps its place. */
    | { readonly kind: "stands"; readonly members: readonly PlacedMember[]; readonly room: string | null }
    | { readonly kind: "placed"; readonly members: readonly PlacedMember[] }
    /** `room` = who would be moved so that it has a place; null = nobody can be, or another one's turn is first. */
    | { readonly kind: "refused"; readonly refusal: Explanation & { readonly code: string }; readonly room: string | null };
  /** Every node, as it was when this one's turn came; none of one that stands. */
  readonly candidates: readonly CandidateReport[];
  readonly notices: readonly PlacementNotice[];
}

/** The same planning as the partition-controller's, on a copy, with what it saw at each step. In the order in which places are given. */
export function explainPlacement(world: PartitionWorld): readonly PlacementReport[] {
  const seen = new Map<InstanceName, readonly CandidateReport[]>();
  const plan = planPartitions(world, (request, room) => void seen.set(request.instance, explainCandidates(request, room)));
  const relocation = planRelocation({ ...world, seen: world.seen ?? asIfRunning(world) }, plan);
  const goals = new Map(
    plan.outgrown.flatMap(({ standing, to }) => (to === null ? [] : [[standing.request.instance, describeGoal(to)] as const])),
  );
  const desired = Map.groupBy(plan.desired, ({ partition }) => partition.instance);
  return world.wanted.toSorted(byPromise).map((request): PlacementReport => {
    const own = desired.get(request.instance) ?? [];
    const candidates = seen.get(request.instance) ?? [];
    const notices = own[0]?.notices ?? [];
    const refusal = own.flatMap(({ partition }) => (partition.node === null ? [partition.refusal] : []))[0];
    if (refusal !== undefined) {
      const room = relocation?.wish === request.instance ? describeMoves(relocation) : null;
      return { request, outcome: { kind: "refused", refusal, room }, candidates, notices };
    }
    const members = own.flatMap(({ partition }) => placeOf(partition));
    if (candidates.length > 0) return { request, outcome: { kind: "placed", members }, candidates, notices };
    const room = goals.get(request.instance) ?? (relocation?.wish === request.instance ? describeMoves(relocation) : null);
    return { request, outcome: { kind: "stands", members, room }, candidates, notices };
  });
}

/** For who does not ask the driver: all that has a place runs there, but for reserves, in which nothing does. */
function asIfRunning({ nodes, known, wanted }: PartitionWorld): readonly SeenGpu[] {
  const reserves = new Set(wanted.flatMap(({ instance, level }) => (level === "cold" ? [instance] : [])));
  const running = known.flatMap((partition) => (partition.node === null || reserves.has(partition.instance) ? [] : [partition]));
  const byGpu = Map.groupBy(running, placeKey);
  return nodes.flatMap(({ name, gpus }) =>
    gpus.map(({ index }): SeenGpu => {
      const at = { node: name, gpu: index };
      const holders = (byGpu.get(placeKey(at)) ?? []).map(({ instance, memoryBytes }) => ({ instance, usedBytes: memoryBytes }));
      return { ...at, health: "ok", holders };
    }),
  );
}

function describeMoves({ victims, places }: NewRelocation): string {
  const moves = victims.map(({ instance, from, to }) => `${instance} from ${formatPlace(from)} to ${formatPlace(to)}`);
  return `Room would be made at ${places.map(formatPlace).join(" and ")} by moving ${moves.join(", then ")}.`;
}
const describeGoal = (to: readonly PlacedMember[]): string => `It would move to ${to.map(formatPlace).join(" and ")} itself.`;
const formatPlace = (place: RelocationPlace): string =>
  place.mig === null ? placeKey(place) : `${placeKey(place)} ${formatPlacement(place.mig)}`;

function placeOf(partition: AnyPartition): readonly PlacedMember[] {
  if (partition.node === null) return [];
  const { node, gpu, mode, mig, memoryBytes, computePercent } = partition;
  return [{ node, gpu, mode, mig, memoryBytes, computePercent }];
}
