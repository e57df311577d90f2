import type { GpuNode } from "../api/gpu-node.ts";
import { spotPoolOf } from "../api/spot-pool.ts";
import type { InstanceName, NodeName } from "../base/ids.ts";
import type { FleetRoom } from "./fleet-room.ts";
import type { InstanceRequest, PlacementNotice } from "./placement-request.ts";

/** How many instances of the same service a node would put at risk together with this one. */
export interface Proximity {
  readonly otherCount: number;
  readonly sameNodeCount: number;
  /** 0 where the node is of no spot pool. */
  readonly samePoolCount: number;
  readonly sameZoneCount: number;
}

/** The instances of its service that an instance stays away from, gathered once for all nodes. */
export interface Companions {
  readonly all: ReadonlySet<InstanceName>;
  readonly byNode: ReadonlyMap<NodeName, ReadonlySet<InstanceName>>;
  readonly byPool: ReadonlyMap<string, ReadonlySet<InstanceName>>;
  readonly byZone: ReadonlyMap<string, ReadonlySet<InstanceName>>;
}

export function companionsOf(request: InstanceRequest, room: FleetRoom): Companions {
  const all = new Set<InstanceName>();
  const byNode = new Map<NodeName, Set<InstanceName>>();
  const byPool = new Map<string, Set<InstanceName>>();
  const byZone = new Map<string, Set<InstanceName>>();
  for (const { instance, node, level } of room.slicesOf(request.service)) {
    if (instance === request.instance || !isCompanion(request, level)) continue;
    const host = room.nodeOf(node);
    const pool = host === null ? null : spotPoolOf(host);
    const zone = host?.zone ?? null;
    all.add(instance);
    gather(byNode, node, instance);
    if (pool !== null) gather(byPool, pool, instance);
    if (zone !== null) gather(byZone, zone, instance);
  }
  return { all, byNode, byPool, byZone };
}

function gather<Key>(into: Map<Key, Set<InstanceName>>, key: Key, instance: InstanceName): void {
  const known = into.get(key);
  if (known === undefined) into.set(key, new Set([instance]));
  else known.add(instance);
}

/** A node without a zone shares it with nobody: nothing is known, so nothing is held against it. */
export function proximityAt({ all, byNode, byPool, byZone }: Companions, node: GpuNode): Proximity {
  const pool = spotPoolOf(node);
  return {
    otherCount: all.size,
    sameNodeCount: byNode.get(node.name)?.size ?? 0,
    samePoolCount: pool === null ? 0 : (byPool.get(pool)?.size ?? 0),
    sameZoneCount: node.zone === null ? 0 : (byZone.get(node.zone)?.size ?? 0),
  };
}

/** Hot stays away from hot and warm; warm and cold stay away from hot, which they are to replace. */
const isCompanion = (request: InstanceRequest, level: InstanceRequest["level"] | null): boolean =>
  level === "hot" || (request.level === "hot" && level === "warm");

/** What of a service could not be kept apart. Reserves are not told of: their place matters only on the day that they are used. */
export function noticesOf(request: InstanceRequest, node: GpuNode, room: FleetRoom): readonly PlacementNotice[] {
  if (request.level === "cold") return [];
  const { otherCount, sameNodeCount, samePoolCount, sameZoneCount } = proximityAt(companionsOf(request, room), node);
  const next = "Add a GPU elsewhere, or loosen nodeSelector.";
  if (sameNodeCount > 0) {
    const what = `${request.instance} shares node ${node.name} with ${sameNodeCount} other of its service.`;
    return [{ code: "SAME_NODE", what, why: "No other node fitted; the loss of that node takes them together.", next }];
  }
  const notices: PlacementNotice[] = [];
  if (samePoolCount > 0) {
    const what = `${request.instance} shares spot pool ${spotPoolOf(node)} with ${samePoolCount} other of its service.`;
    const why = "No node outside the pool fitted; what is taken back there goes at once.";
    notices.push({ code: "SAME_SPOT_POOL", what, why, next });
  }
  // Hot instances of one zone are usual; warm is there for its loss, so it matters only where no hot one is elsewhere.
  if (request.level === "warm" && otherCount > 0 && sameZoneCount === otherCount) {
    const what = `${request.instance} stands in zone ${node.zone}, as all hot instances of the service do.`;
    notices.push({ code: "SAME_ZONE", what, why: "No node of another zone fitted; the loss of that zone takes them all.", next });
  }
  return notices;
}
