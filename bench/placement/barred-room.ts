import type { NodeName } from "../../src/base/ids.ts";
import type { FleetRoom } from "../../src/placement/fleet-room.ts";

/** The room as a service sees it that must not have those nodes: every GPU of them is quarantined for it. */
export function barredRoom(room: FleetRoom, barred: ReadonlySet<NodeName>): FleetRoom {
  return {
    nodes: room.nodes,
    changes: room.changes,
    get closed() {
      return room.closed;
    },
    wanted: room.wanted,
    nodeOf: (name) => room.nodeOf(name),
    gpusOf: (name) => room.gpusOf(name),
    gpuAt: (place) => room.gpuAt(place),
    isUnused: (node) => room.isUnused(node),
    freeHostBytes: (node) => room.freeHostBytes(node),
    zoneUsedPercent: (node) => room.zoneUsedPercent(node),
    isQuarantined: (place, service) => barred.has(place.node) || room.isQuarantined(place, service),
    nodesKnownTo: (service) => room.nodesKnownTo(service),
    isClosed: (place) => room.isClosed(place),
    close: (place) => room.close(place),
    slicesOf: (service) => room.slicesOf(service),
    hold: (slices) => room.hold(slices),
    release: (instance, places) => room.release(instance, places),
    // Whoever has none of its service on them does not even see them.
    matching: (request) => room.matching(request).filter(({ name }) => !barred.has(name)),
  };
}
