import { matchesNode } from "../api/match-node.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { PartitionMode } from "../api/gpu-partition.ts";
import { layoutOf } from "../api/mig-layout.ts";
import type { InstanceName, NodeName, ServiceName } from "../base/ids.ts";
import type { GpuCut } from "./partition-requirements.ts";
import { placeKey, type Fleet, type GpuPlace, type HeldSlice, type InstanceRequest } from "./placement-request.ts";

export interface GpuRoom extends GpuPlace {
  readonly model: string;
  readonly memoryBytes: number;
  readonly modes: readonly PartitionMode[];
  /** null = nobody holds anything of it. */
  readonly cut: GpuCut | null;
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
  nodeOf(name: NodeName): GpuNode | null;
  /** In the order of their indexes; lost ones are left out. */
  gpusOf(node: NodeName): readonly GpuRoom[];
  freeHostBytes(node: GpuNode): number;
  isQuarantined(place: GpuPlace, service: ServiceName): boolean;
  /** Takes nobody new. */
  isClosed(place: GpuPlace): boolean;
  /** null = none is closed. */
  close(place: GpuPlace | null): void;
  /** Everything that one service holds. */
  slicesOf(service: ServiceName): readonly HeldSlice[];
  hold(slices: readonly HeldSlice[]): void;
  /** Takes back what one instance holds there; what it still has elsewhere stays held. */
  release(instance: InstanceName, places: readonly GpuPlace[]): void;
  matching(request: Pick<InstanceRequest, "nodeSelector" | "capacityType">): readonly GpuNode[];
}

export function createFleetRoom(fleet: Fleet): FleetRoom {
  const byGpu = new Map<string, HeldSlice[]>();
  const byNode = new Map<NodeName, HeldSlice[]>();
  const byService = new Map<ServiceName, HeldSlice[]>();
  /** Asked for every node at each placement, changed at one: so kept until then. */
  const gpusByNode = new Map<NodeName, readonly GpuRoom[]>();
  const lost = new Set(fleet.lost.map(placeKey));
  const quarantined = new Set(fleet.quarantined.map((entry) => `${entry.service} ${placeKey(entry)}`));
  let closed = fleet.closed == null ? null : placeKey(fleet.closed);
  // The order of the inventory must not matter: same fleet, same choice.
  const nodes = fleet.nodes.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const nodeByName = new Map(nodes.map((node) => [node.name, node]));

  function hold(slices: readonly HeldSlice[]): void {
    for (const slice of slices) {
      append(byGpu, placeKey(slice), slice);
      append(byNode, slice.node, slice);
      if (slice.service !== null) append(byService, slice.service, slice);
      gpusByNode.delete(slice.node);
    }
  }
  function release(instance: InstanceName, places: readonly GpuPlace[]): void {
    for (const place of places) {
      const key = placeKey(place);
      const gone = (byGpu.get(key) ?? []).filter((slice) => slice.instance === instance);
      for (const slice of gone) {
        drop(byGpu, key, slice);
        drop(byNode, slice.node, slice);
        if (slice.service !== null) drop(byService, slice.service, slice);
      }
      gpusByNode.delete(place.node);
    }
  }
  function gpusOf(name: NodeName): readonly GpuRoom[] {
    const known = gpusByNode.get(name);
    if (known !== undefined) return known;
    const places = (nodeByName.get(name)?.gpus ?? []).map(({ index, ...card }) => ({ node: name, gpu: index, ...card }));
    const rooms = places.filter((place) => !lost.has(placeKey(place))).map((place) => gpuRoom(place, byGpu.get(placeKey(place)) ?? []));
    gpusByNode.set(name, rooms);
    return rooms;
  }
  hold(fleet.held);

  return {
    nodes,
    nodeOf: (name) => nodeByName.get(name) ?? null,
    gpusOf,
    freeHostBytes(node) {
      // Counted once for each instance, however many GPUs of the node it has.
      const byInstance = new Map<InstanceName, number>();
      for (const { instance, hostBytes } of byNode.get(node.name) ?? []) {
        byInstance.set(instance, Math.max(hostBytes, byInstance.get(instance) ?? 0));
      }
      return node.hostMemoryBytes - sum([...byInstance.values()]);
    },
    isQuarantined: (place, service) => quarantined.has(`${service} ${placeKey(place)}`),
    isClosed: (place) => closed === placeKey(place),
    close: (place) => void (closed = place === null ? null : placeKey(place)),
    slicesOf: (service) => byService.get(service) ?? [],
    hold,
    release,
    matching: (request) => nodes.filter((node) => matchesNode(node, request)),
  };
}

type Card = Pick<GpuRoom, "node" | "gpu" | "model" | "memoryBytes" | "modes">;

function gpuRoom(card: Card, slices: readonly HeldSlice[]): GpuRoom {
  const usedBytes = sum(slices.map((slice) => slice.memoryBytes));
  return {
    ...card,
    freeBytes: card.memoryBytes - usedBytes,
    cut: cutOf(slices, usedBytes),
    isTaken: slices.some(({ mode }) => mode === "exclusive"),
    holderCount: slices.length,
    services: new Set(slices.flatMap((slice) => slice.service ?? [])),
  };
}

/** A GPU is in the mode of those who were promised a part of it. */
function cutOf(slices: readonly HeldSlice[], usedBytes: number): GpuCut | null {
  if (slices.length === 0) return null;
  const modes = slices.flatMap(({ mode }) => mode ?? []);
  if (modes.includes("exclusive")) return { mode: "exclusive" };
  const placements = slices.flatMap(({ mig }) => mig ?? []);
  const layout = layoutOf(placements);
  if (placements.length > 0 && layout.ok) return { mode: "mig", layout: layout.value };
  const mode = modes.find((each) => each !== "exclusive" && each !== "mig") ?? null;
  return { mode, usedBytes, promisedPercent: 0, holderCount: slices.length };
}

function append<Key>(map: Map<Key, HeldSlice[]>, key: Key, slice: HeldSlice): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [slice]);
  else list.push(slice);
}

function drop<Key>(map: Map<Key, HeldSlice[]>, key: Key, slice: HeldSlice): void {
  map.set(
    key,
    (map.get(key) ?? []).filter((other) => other !== slice),
  );
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
