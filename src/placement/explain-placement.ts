import type { InstanceName } from "../base/ids.ts";
import type { Explanation } from "../base/result.ts";
import { explainCandidates, type CandidateReport } from "./explain-candidates.ts";
import { planPartitions, type AnyPartition, type PartitionWorld } from "./plan-partitions.ts";
import { byPromise } from "./place-instances.ts";
import type { InstanceRequest, PlacedMember, PlacementNotice } from "./placement-request.ts";

/** Where one instance stands, would stand, or why it would stand nowhere. */
export interface PlacementReport {
  readonly request: InstanceRequest;
  readonly outcome:
    /** It has its place, and keeps it. */
    | { readonly kind: "stands"; readonly members: readonly PlacedMember[] }
    | { readonly kind: "placed"; readonly members: readonly PlacedMember[] }
    | { readonly kind: "refused"; readonly refusal: Explanation & { readonly code: string } };
  /** Every node, as it was when this one's turn came; none of one that stands. */
  readonly candidates: readonly CandidateReport[];
  readonly notices: readonly PlacementNotice[];
}

/** The same planning as the partition-controller's, on a copy, with what it saw at each step. In the order in which places are given. */
export function explainPlacement(world: PartitionWorld): readonly PlacementReport[] {
  const seen = new Map<InstanceName, readonly CandidateReport[]>();
  const plan = planPartitions(world, (request, room) => void seen.set(request.instance, explainCandidates(request, room)));
  const desired = Map.groupBy(plan.desired, ({ partition }) => partition.instance);
  return world.wanted.toSorted(byPromise).map((request): PlacementReport => {
    const own = desired.get(request.instance) ?? [];
    const candidates = seen.get(request.instance) ?? [];
    const notices = own[0]?.notices ?? [];
    const refusal = own.flatMap(({ partition }) => (partition.node === null ? [partition.refusal] : []))[0];
    if (refusal !== undefined) return { request, outcome: { kind: "refused", refusal }, candidates, notices };
    const members = own.flatMap(({ partition }) => placeOf(partition));
    return { request, outcome: { kind: candidates.length === 0 ? "stands" : "placed", members }, candidates, notices };
  });
}

function placeOf(partition: AnyPartition): readonly PlacedMember[] {
  if (partition.node === null) return [];
  const { node, gpu, mode, mig, memoryBytes, computePercent } = partition;
  return [{ node, gpu, mode, mig, memoryBytes, computePercent }];
}
