import type { GpuNode } from "../api/gpu-node.ts";
import type { FleetRoom } from "./fleet-room.ts";
import type { InstanceRequest, PlacementNotice } from "./placement-request.ts";

/** How many instances of the same service a node would put at risk together with this one. */
export interface Proximity {
  readonly otherCount: number;
  readonly sameNodeCount: number;
  readonly sameZoneCount: number;
}

/** A node without a zone shares it with nobody: nothing is known, so nothing is held against it. */
export function proximityOf(request: InstanceRequest, node: GpuNode, room: FleetRoom): Proximity {
  const others = room.slicesOf(request.service).filter((slice) => slice.instance !== request.instance && isCompanion(request, slice.level));
  const distinct = (kept: typeof others): number => new Set(kept.map((slice) => slice.instance)).size;
  return {
    otherCount: distinct(others),
    sameNodeCount: distinct(others.filter((slice) => slice.node === node.name)),
    sameZoneCount: distinct(others.filter((slice) => node.zone !== null && room.nodeOf(slice.node)?.zone === node.zone)),
  };
}

/** Hot stays away from hot and warm; warm and cold stay away from hot, which they are to replace. */
const isCompanion = (request: InstanceRequest, level: InstanceRequest["level"] | null): boolean =>
  level === "hot" || (request.level === "hot" && level === "warm");

/** What of a service could not be kept apart. Reserves are not told of: their place matters only on the day that they are used. */
export function noticesOf(request: InstanceRequest, node: GpuNode, room: FleetRoom): readonly PlacementNotice[] {
  if (request.level === "cold") return [];
  const { otherCount, sameNodeCount, sameZoneCount } = proximityOf(request, node, room);
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
