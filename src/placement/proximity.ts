import type { GpuNode } from "../api/gpu-node.ts";
import type { InstanceName, NodeName } from "../base/ids.ts";
import type { FleetRoom } from "./fleet-room.ts";
import type { InstanceRequest, PlacementNotice } from "./placement-request.ts";

/** How many instances of the same service a node would put at risk together with this one. */
export interface Proximity {
  readonly otherCount: number;
  readonly sameNodeCount: number;
  readonly sameZoneCount: number;
}

/** The instances of its service that an instance stays away from, gathered once for all nodes. */
export interface Companions {
  readonly all: ReadonlySet<InstanceName>;
  readonly byNode: ReadonlyMap<NodeName, ReadonlySet<InstanceName>>;
  readonly byZone: ReadonlyMap<string, ReadonlySet<InstanceName>>;
}

export function companionsOf(request: InstanceRequest, room: FleetRoom): Companions {
  const [all, byNode, byZone] = [new Set<InstanceName>(), new Map<NodeName, Set<InstanceName>>(), new Map<string, Set<InstanceName>>()];
  for (const { instance, node, level } of room.slicesOf(request.service)) {
    if (instance === request.instance || !isCompanion(request, level)) continue;
    const zone = room.nodeOf(node)?.zone ?? null;
    all.add(instance);
    gather(byNode, node, instance);
    if (zone !== null) gather(byZone, zone, instance);
  }
  return { all, byNode, byZone };
}

function gather<Key>(into: Map<Key, Set<InstanceName>>, key: Key, instance: InstanceName): void {
  const known = into.get(key);
  if (known === undefined) into.set(key, new Set([instance]));
  else known.add(instance);
}

/** A node without a zone shares it with nobody: nothing is known, so nothing is held against it. */
export const proximityAt = ({ all, byNode, byZone }: Companions, { name, zone }: GpuNode): Proximity => ({
  otherCount: all.size,
  sameNodeCount: byNode.get(name)?.size ?? 0,
  sameZoneCount: zone === null ? 0 : (byZone.get(zone)?.size ?? 0),
});

/** Hot stays away from hot and warm; warm and cold stay away from hot, which they are to replace. */
const isCompanion = (request: InstanceRequest, level: InstanceRequest["level"] | null): boolean =>
  level === "hot" || (request.level === "hot" && level === "warm");

/** What of a service could not be kept apart. Reserves are not told of: their place matters only on the day that they are used. */
export function noticesOf(request: InstanceRequest, node: GpuNode, room: FleetRoom): readonly PlacementNotice[] {
  if (request.level === "cold") return [];
  const { otherCount, sameNodeCount, sameZoneCount } = proximityAt(companionsOf(request, room), node);
  const next = "Add a GPU elsewhere, or loosen nodeSelector.";
  if (sameNodeCount > 0) {
    const what = `${request.instance} shares node ${node.name} with ${sameNodeCount} other of its service.`;
    return [{ code: "SAME_NODE", what, why: "No other node fitted; the loss of that node takes them together.", next }];
  }
  // Hot instances of one zone are usual; warm is there for its loss, so it matters only where no hot one is elsewhere.
  if (request.level === "warm" && otherCount > 0 && sameZoneCount === otherCount) {
    const what = `${request.instance} stands in zone ${node.zone}, as all hot instances of the service do.`;
    return [{ code: "SAME_ZONE", what, why: "No node of another zone fitted; the loss of that zone takes them all.", next }];
  }
  return [];
}
