import { matchesNode } from "../api/match-node.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { NodeName } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import { createRemembered } from "../base/remember.ts";
import { tenantsMixed } from "./choose-partition.ts";
import { candidateOf } from "./gpu-offer.ts";
import { partitionRequirements } from "./partition-requirements.ts";
import { fitAt } from "./choose-gpus.ts";
import { createFleetRoom, type FleetRoom } from "./fleet-room.ts";
import { slicesOf } from "./place-instances.ts";
import type { Fleet, HeldSlice, InstanceRequest, PlacedInstance, PlacedMember } from "./placement-request.ts";

/** An instance that has GPUs already. */
export interface StandingCandidate {
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
export type Standing = PlacedInstance & {
  readonly leaving: string | null;
  readonly isRunning: boolean;
  /** It has less than it wants now, on GPUs that are there and on a node that it may use. */
  readonly isOutgrown: boolean;
};

export interface Settled {
  readonly standing: readonly Standing[];
  /** Everything that is held then. */
  readonly held: readonly HeldSlice[];
}

type Facts = Pick<Fleet, "nodes" | "lost" | "quarantined">;
/** What stands on one node, or on several that somebody stands on at once. */
interface Ground {
  readonly candidates: StandingCandidate[];
  readonly fixed: HeldSlice[];
}

/**
 * Gives everybody who stands somewhere what is wanted there now, if that fits; else what runs keeps what it has, and so does a hot or warm
 * instance that only lacks room there. What else does not run moves.
 * Whether it fits depends on that node alone, so a node where all is as before is not worked out again.
 * @param candidates who comes first stands first. @param fixed held by others, whatever is decided.
 */
export function settleStanding(candidates: readonly StandingCandidate[], fixed: readonly HeldSlice[], facts: Facts): Settled {
  const wide = new Set(candidates.flatMap(nodesIfSeveral));
  const grounds = new Map<NodeName | null, Ground>();
  const groundOf = (node: NodeName): Ground => {
    const key = wide.has(node) ? null : node;
    const ground = grounds.get(key) ?? { candidates: [], fixed: [] };
    grounds.set(key, ground);
    return ground;
  };
  for (const candidate of candidates) {
    const [first] = candidate.members;
    if (first !== undefined) groundOf(first.node).candidates.push(candidate);
  }
  for (const slice of fixed) groundOf(slice.node).fixed.push(slice);
  const nodes = new Map(facts.nodes.map((node) => [node.name, node]));
  const lost = Map.groupBy(facts.lost, ({ node }) => node);
  const quarantined = Map.groupBy(facts.quarantined, ({ node }) => node);
  const settled = [...grounds].map(([name, ground]) => {
    const node = name === null ? undefined : nodes.get(name);
    if (name === null || node === undefined) return settleOn(ground, facts);
    const own = { nodes: [node], lost: lost.get(name) ?? [], quarantined: quarantined.get(name) ?? [] };
    // The lists of what is closed are made anew each time, and hardly ever hold anything.
    const closed = [...own.lost, ...own.quarantined].map((entry) => JSON.stringify(entry));
    return settledBefore(node)([...ground.candidates, null, ...ground.fixed, null, ...closed], () => settleOn(ground, own));
  });
  const stands = new Map(settled.flatMap(({ standing }) => standing).map((one) => [one.request, one]));
  return {
    standing: candidates.flatMap(({ request }) => stands.get(request) ?? []),
    held: settled.flatMap(({ held }) => held),
  };
}

const settledBefore = oncePer((_node: GpuNode) => createRemembered<Settled>());

function nodesIfSeveral({ members }: StandingCandidate): readonly NodeName[] {
  const first = members[0]?.node;
  return members.every(({ node }) => node === first) ? [] : members.map(({ node }) => node);
}

function settleOn({ candidates, fixed }: Ground, facts: Facts): Settled {
  const room = createFleetRoom({ ...facts, held: [...candidates.flatMap(({ slices }) => slices), ...fixed] });
  const settled = candidates.flatMap((candidate) => settle(candidate, room));
  return { standing: settled.map(({ stands }) => stands), held: [...settled.flatMap(({ held }) => held), ...fixed] };
}

function settle(
  { request, members, slices, isHeld: mustStay, isWhole, leaving }: StandingCandidate,
  room: FleetRoom,
): readonly { readonly stands: Standing; readonly held: readonly HeldSlice[] }[] {
  room.release(request.instance, members);
  const fitting = isWhole && leaving === null ? fitAt(request, members, room) : null;
  const isOutgrown =
    fitting === null &&
    isWhole &&
    leaving === null &&
    request.level !== "cold" &&
    members.every((member) => mayBeAt(request, member, room));
  if (fitting === null && !mustStay && !isOutgrown) return [];
  const held = fitting === null ? slices : slicesOf(request, fitting);
  room.hold(held);
  return [{ stands: { request, members: fitting ?? members, leaving, isRunning: mustStay, isOutgrown }, held }];
}

/** Whether only more room is missing there. */
function mayBeAt(request: InstanceRequest, member: PlacedMember, room: FleetRoom): boolean {
  const node = room.nodeOf(member.node);
  const gpu = room.gpuAt(member);
  return (
    node !== null && matchesNode(node, request) && gpu !== null && tenantsMixed(partitionRequirements(request), candidateOf(gpu)) === null
  );
}
