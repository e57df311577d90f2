import type { GpuNode } from "../../src/api/gpu-node.ts";
import { GB } from "../../src/base/bytes.ts";
import { instanceName, nodeName, serviceName, tenantId } from "../../src/base/ids.ts";
import { createFleetRoom, type FleetRoom } from "../../src/placement/fleet-room.ts";
import { placeInto, slicesOf } from "../../src/placement/place-instances.ts";
import type { InstanceRequest, PlacedInstance } from "../../src/placement/placement-request.ts";
import { barredRoom } from "./barred-room.ts";
import type { ServiceMember } from "../../src/placement/place-apart.ts";
import type { Service, ZonedNode } from "./service-mix.ts";
import { ServiceRules, type ServiceSite } from "./service-site.ts";

/** Arrivals after which the fleet is read anew, as a controller does at each look: what is wanted is known as of then. */
const READ_EACH = 50;

/**
 * Placed by the functions that the controllers use, told only what stands and what comes. Nodes that the rules bar are quarantined for the
 * service.
 */
export function plannerSite(nodes: readonly ZonedNode[], { isToldWanted }: { readonly isToldWanted: boolean }): ServiceSite {
  const inventory = nodes.map(gpuNodeOf);
  const zoneOf = new Map(nodes.map(({ name, zone }) => [name, zone]));
  const standing = new Set<readonly PlacedInstance[]>();
  let asked = 0;
  let room: FleetRoom | null = null;
  const read = (requests: readonly InstanceRequest[]): FleetRoom => {
    const placed = [...standing].flat();
    const held = placed.flatMap(({ request, members }) => slicesOf(request, members));
    const wanted = isToldWanted ? [...placed.map(({ request }) => request), ...requests] : undefined;
    return createFleetRoom({ nodes: inventory, held, lost: [], quarantined: [], wanted });
  };
  return {
    place(service) {
      const requests = requestsOf(service, asked);
      if (room === null || asked % READ_EACH === 0) room = read(requests);
      asked++;
      const current = room;
      const rules = new ServiceRules(zoneOf);
      const placed: PlacedInstance[] = [];
      for (const request of requests) {
        const barred = inventory.map(({ name }) => name).filter((name) => rules.isBarred(request.level, name));
        const [found] = placeInto([request], barredRoom(current, new Set(barred))).placed;
        if (found === undefined) {
          for (const { request: other, members } of placed) current.release(other.instance, members);
          return null;
        }
        placed.push(found);
        rules.take(request.level, found.members[0]?.node ?? "");
      }
      standing.add(placed);
      return {
        members: placed.map(({ request, members }) => ({ level: request.level, node: members[0]?.node ?? "" })),
        leave() {
          standing.delete(placed);
          for (const { request, members } of placed) room?.release(request.instance, members);
        },
      };
    },
  };
}

function requestsOf(service: Service, index: number): readonly InstanceRequest[] {
  return service.map(({ level, shape }: ServiceMember, at) => ({
    instance: instanceName(`i-${index}-${at}`),
    tenant: tenantId("t"),
    service: serviceName(`s-${index}`),
    level,
    tier: "gold",
    priority: 0,
    isolation: "none",
    mayBeOversold: false,
    computePercent: 50,
    capBytes: null,
    memberBytes: Array.from({ length: shape.gpuCount }, () => (shape.gpuMilli * GPU_BYTES) / 1_000),
    isExclusive: shape.gpuMilli === 1_000,
    nodeSelector: {},
    capacityType: null,
    hostBytes: 0,
  }));
}

const GPU_BYTES = 80 * GB;

function gpuNodeOf({ name, zone, model, gpuCount }: ZonedNode): GpuNode {
  return {
    name: nodeName(name),
    labels: {},
    unsafeToolkit: null,
    zone,
    capacityType: "on-demand",
    hostMemoryBytes: 1_000 * GB,
    links: { hostToGpu: 1, disk: 1, network: 1 },
    gpus: Array.from({ length: gpuCount }, (_, index) => ({ index, model, memoryBytes: GPU_BYTES, modes: ["exclusive", "mps"] })),
  };
}
