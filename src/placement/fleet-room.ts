import { matchesNode } from "../api/match-node.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { PartitionMode } from "../api/gpu-partition.ts";
import { layoutOf } from "../api/mig-layout.ts";
import type { InstanceName, NodeName, ServiceName } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
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
  /** null = lost, or there is none. */
  gpuAt(place: GpuPlace): GpuRoom | null;
  /** Nobody holds anything on it, and no GPU of it is lost or closed. */
  isUnused(node: GpuNode): boolean;
  freeHostBytes(node: GpuNode): number;
  isQuarantined(place: GpuPlace, service: ServiceName): boolean;
  /** Where the service holds something, or a GPU is kept from it. To all other services such a node is another place than to this one. */
  nodesKnownTo(service: ServiceName): ReadonlySet<NodeName>;
  /** Takes nobody new. */
  isClosed(place: GpuPlace): boolean;
  /** null = none is closed. */
  close(place: GpuPlace | null): void;
  /** Everything that one service holds. */
  slicesOf(service: ServiceName): readonly HeldSlice[];
  hold(slices: readonly HeldSlice[]): void;
  /** Takes back what one instance holds there; what it still has elsewhere stays held. */
  release(instance: InstanceName, places: readonly GpuPlace[]): void;
  /** In the order of their names. */
  matching(request: Pick<InstanceRequest, "nodeSelector" | "capacityType">): readonly GpuNode[];
  /** Nodes on which something was held, released or closed, oldest first, as often as it was. It grows. */
  readonly changes: readonly NodeName[];
}

export function createFleetRoom(fleet: Fleet): FleetRoom {
  const byGpu = new Map<string, HeldSlice[]>();
  const byNode = new Map<NodeName, HeldSlice[]>();
  const byService = new Map<ServiceName, HeldSlice[]>();
  const changes: NodeName[] = [];
  /** Asked for every node at each placement, changed at one: so kept until then. */
  const gpusByNode = new Map<NodeName, readonly GpuRoom[]>();
  const roomsByGpu = new Map<string, GpuRoom>();
  const freeHostBytesByNode = new Map<NodeName, number>();
  const knownNodes = new Map<ServiceName, ReadonlySet<NodeName>>();
  const matchingNodes = new Map<string, readonly GpuNode[]>();
  const lost = new Set(fleet.lost.map(placeKey));
  const lostNodes = new Set(fleet.lost.map(({ node }) => node));
  const quarantined = new Set(fleet.quarantined.map((entry) => `${entry.service} ${placeKey(entry)}`));
  const quarantinedNodes = Map.groupBy(fleet.quarantined, ({ service }) => service);
  let closed: GpuPlace | null = fleet.closed ?? null;
  // The order of the inventory must not matter: same fleet, same choice.
  const nodes = fleet.nodes.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const nodeByName = new Map(nodes.map((node) => [node.name, node]));
  const cards = new Map(nodes.flatMap(cardsOf));

  function hold(slices: readonly HeldSlice[]): void {
    for (const slice of slices) {
      append(byGpu, placeKey(slice), slice);
      append(byNode, slice.node, slice);
      if (slice.service !== null) append(byService, slice.service, slice);
      changed(slice, slice.service);
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
        changed(slice, slice.service);
      }
    }
  }
  function changed(place: GpuPlace, service: ServiceName | null): void {
    roomsByGpu.delete(placeKey(place));
    gpusByNode.delete(place.node);
    freeHostBytesByNode.delete(place.node);
    if (service !== null) knownNodes.delete(service);
    changes.push(place.node);
  }
  function gpusOf(name: NodeName): readonly GpuRoom[] {
    const known = gpusByNode.get(name);
    if (known !== undefined) return known;
    const rooms = (nodeByName.get(name)?.gpus ?? []).flatMap(({ index }) => gpuAt({ node: name, gpu: index }) ?? []);
    gpusByNode.set(name, rooms);
    return rooms;
  }
  function gpuAt(place: GpuPlace): GpuRoom | null {
    const key = placeKey(place);
    const known = roomsByGpu.get(key);
    if (known !== undefined) return known;
    const card = cards.get(key);
    if (card === undefined || lost.has(key)) return null;
    const room = gpuRoom(card, byGpu.get(key) ?? []);
    roomsByGpu.set(key, room);
    return room;
  }
  hold(fleet.held);

  return {
    nodes,
    nodeOf: (name) => nodeByName.get(name) ?? null,
    gpusOf,
    gpuAt,
    changes,
    isUnused: ({ name }) => (byNode.get(name)?.length ?? 0) === 0 && !lostNodes.has(name) && closed?.node !== name,
    freeHostBytes(node) {
      const known = freeHostBytesByNode.get(node.name);
      if (known !== undefined) return known;
      // Counted once for each instance, however many GPUs of the node it has.
      const byInstance = new Map<InstanceName, number>();
      for (const { instance, hostBytes } of byNode.get(node.name) ?? []) {
        if (hostBytes > 0) byInstance.set(instance, Math.max(hostBytes, byInstance.get(instance) ?? 0));
      }
      const freeBytes = node.hostMemoryBytes - sum([...byInstance.values()]);
      freeHostBytesByNode.set(node.name, freeBytes);
      return freeBytes;
    },
    isQuarantined: (place, service) => quarantined.has(`${service} ${placeKey(place)}`),
    nodesKnownTo(service) {
      const known = knownNodes.get(service);
      if (known !== undefined) return known;
      const places = [...(byService.get(service) ?? []), ...(quarantinedNodes.get(service) ?? [])];
      const made = new Set(places.map(({ node }) => node));
      knownNodes.set(service, made);
      return made;
    },
    isClosed: ({ node, gpu }) => closed?.node === node && closed.gpu === gpu,
    close(place) {
      for (const touched of [closed, place]) if (touched !== null) changed(touched, null);
      closed = place;
    },
    slicesOf: (service) => byService.get(service) ?? [],
    hold,
    release,
    matching(request) {
      const selector = JSON.stringify([request.capacityType, request.nodeSelector]);
      const known = matchingNodes.get(selector) ?? nodes.filter((node) => matchesNode(node, request));
      matchingNodes.set(selector, known);
      return known;
    },
  };
}

type Card = Pick<GpuRoom, "node" | "gpu" | "model" | "memoryBytes" | "modes">;

/** By their keys; of a node, always the same. */
const cardsOf = oncePer(({ name, gpus }: GpuNode): readonly (readonly [string, Card])[] =>
  gpus.map(({ index, ...card }) => [placeKey({ node: name, gpu: index }), { node: name, gpu: index, ...card }]),
);

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
