import { matchesNode } from "../api/match-node.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { InstanceName, NodeName, ServiceName } from "../base/ids.ts";
import { placeKey, type Fleet, type GpuPlace, type HeldSlice, type InstanceRequest } from "./placement-request.ts";

export interface GpuRoom extends GpuPlace {
  readonly memoryBytes: number;
  readonly freeBytes: number;
  /** Someone has it alone. */
  readonly isTaken: boolean;
  readonly holderCount: number;
  /** Services that hold a slice of it. */
  readonly services: ReadonlySet<ServiceName>;
}

/** How much of the fleet is free, kept up to date while instances are placed one after the other. */
export interface FleetRoom {
  readonly nodes: readonly GpuNode[];
  /** In the order of their indexes; lost ones are left out. */
  gpusOf(node: NodeName): readonly GpuRoom[];
  freeHostBytes(node: GpuNode): number;
  isQuarantined(place: GpuPlace, service: ServiceName): boolean;
  /** Slices of one service, of the given instances or all. */
  slicesOf(service: ServiceName): readonly HeldSlice[];
  hold(slices: readonly HeldSlice[]): void;
  /** Takes back what one instance holds there; what it still has elsewhere stays held. */
  release(instance: InstanceName, places: readonly GpuPlace[]): void;
  matching(request: Pick<InstanceRequest, "nodeSelector" | "capacityType">): readonly GpuNode[];
}

export function createFleetRoom(fleet: Fleet): FleetRoom {
  const held = new Map<InstanceName, HeldSlice[]>();
  const byGpu = new Map<string, HeldSlice[]>();
  const lost = new Set(fleet.lost.map(placeKey));
  const quarantined = new Set(fleet.quarantined.map((entry) => `${entry.service} ${placeKey(entry)}`));
  // The order of the inventory must not matter: same fleet, same choice.
  const nodes = fleet.nodes.toSorted((left, right) => (left.name < right.name ? -1 : 1));

  function hold(slices: readonly HeldSlice[]): void {
    for (const slice of slices) {
      append(held, slice.instance, slice);
      append(byGpu, placeKey(slice), slice);
    }
  }
  function release(instance: InstanceName, places: readonly GpuPlace[]): void {
    const keys = new Set(places.map(placeKey));
    const stays = (slice: HeldSlice): boolean => slice.instance !== instance || !keys.has(placeKey(slice));
    held.set(instance, (held.get(instance) ?? []).filter(stays));
    for (const key of keys) byGpu.set(key, (byGpu.get(key) ?? []).filter(stays));
  }
  hold(fleet.held);
  const nodeByName = new Map(nodes.map((node) => [node.name, node]));

  return {
    nodes,
    gpusOf(node) {
      const gpus = nodeByName.get(node)?.gpus ?? [];
      return gpus
        .filter((gpu) => !lost.has(placeKey({ node, gpu: gpu.index })))
        .map((gpu) => roomOf({ node, gpu: gpu.index }, gpu.memoryBytes, byGpu.get(placeKey({ node, gpu: gpu.index })) ?? []));
    },
    freeHostBytes(node) {
      // Counted once for each instance, however many GPUs of the node it has.
      const first = [...held.values()].flatMap((slices) => slices.find((slice) => slice.node === node.name) ?? []);
      return node.hostMemoryBytes - sum(first.map((slice) => slice.hostBytes));
    },
    isQuarantined: (place, service) => quarantined.has(`${service} ${placeKey(place)}`),
    slicesOf: (service) => [...held.values()].flat().filter((slice) => slice.service === service),
    hold,
    release,
    matching: (request) => nodes.filter((node) => matchesNode(node, request)),
  };
}

function roomOf(place: GpuPlace, memoryBytes: number, slices: readonly HeldSlice[]): GpuRoom {
  return {
    ...place,
    memoryBytes,
    freeBytes: memoryBytes - sum(slices.map((slice) => slice.memoryBytes)),
    isTaken: slices.some((slice) => slice.isExclusive),
    holderCount: slices.length,
    services: new Set(slices.flatMap((slice) => slice.service ?? [])),
  };
}

function append<Key>(map: Map<Key, HeldSlice[]>, key: Key, slice: HeldSlice): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [slice]);
  else list.push(slice);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
