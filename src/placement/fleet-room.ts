import { matchesNode } from "../api/match-node.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { PartitionMode } from "../api/gpu-partition.ts";
import { layoutOf } from "../api/mig-layout.ts";
import type { InstanceName, NodeName, ServiceName, TenantId } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import { createRemembered } from "../base/remember.ts";
import type { GpuCut } from "./partition-requirements.ts";
import { ZoneUse } from "./zone-use.ts";
import { mixOf, type WantedMix } from "./wanted-mix.ts";
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
  /** Of its node; null = tenants may share it. */
  readonly unsafeToolkit: string | null;
  /** Who holds something of it, null = nobody knows; empty where tenants may share it. */
  readonly tenants: ReadonlySet<TenantId | null>;
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
  /** Of the GPU bytes of its zone that are not lost, how many are held. 0..100, whole. */
  zoneUsedPercent(node: GpuNode): number;
  isQuarantined(place: GpuPlace, service: ServiceName): boolean;
  /** Where the service holds something, or a GPU is kept from it. To all other services such a node is another place than to this one. */
  nodesKnownTo(service: ServiceName): ReadonlySet<NodeName>;
  /** Takes nobody new. */
  isClosed(place: GpuPlace): boolean;
  readonly closed: readonly GpuPlace[];
  /** Closes these and opens all others. */
  close(places: readonly GpuPlace[]): void;
  /** Everything that one service holds. */
  slicesOf(service: ServiceName): readonly HeldSlice[];
  hold(slices: readonly HeldSlice[]): void;
  /** Takes back what one instance holds there; what it still has elsewhere stays held. */
  release(instance: InstanceName, places: readonly GpuPlace[]): void;
  /** In the order of their names. */
  matching(request: Pick<InstanceRequest, "nodeSelector" | "capacityType">): readonly GpuNode[];
  /** What there should be room for; null = not known, and places are chosen by what they are now. */
  readonly wanted: WantedMix | null;
  /** Nodes on which something was held, released or closed, oldest first, as often as it was. It grows. */
  readonly changes: readonly NodeName[];
}

export const createFleetRoom = (fleet: Fleet): FleetRoom => new Room(fleet);

class Room implements FleetRoom {
  readonly nodes: readonly GpuNode[];
  readonly wanted: WantedMix | null;
  readonly changes: NodeName[] = [];
  readonly #nodeByName: ReadonlyMap<NodeName, GpuNode>;
  readonly #cards: ReadonlyMap<string, Card>;
  readonly #lost: ReadonlySet<string>;
  readonly #lostNodes: ReadonlySet<NodeName>;
  readonly #quarantined: ReadonlySet<string>;
  readonly #quarantinedBy: ReadonlyMap<ServiceName, readonly GpuPlace[]>;
  readonly #byGpu = new Map<string, HeldSlice[]>();
  readonly #byNode = new Map<NodeName, HeldSlice[]>();
  readonly #byService = new Map<ServiceName, HeldSlice[]>();
  // Asked for every node at each placement, changed at one: so kept until then.
  readonly #gpusByNode = new Map<NodeName, readonly GpuRoom[]>();
  readonly #roomsByGpu = new Map<string, GpuRoom>();
  readonly #freeHostBytes = new Map<NodeName, number>();
  readonly #knownNodes = new Map<ServiceName, ReadonlySet<NodeName>>();
  readonly #zones: ZoneUse;
  readonly #matching = new Map<string, readonly GpuNode[]>();
  #closed: readonly GpuPlace[];

  constructor({ nodes, held, lost, quarantined, closed, wanted }: Fleet) {
    this.wanted = wanted === undefined ? null : mixOf(wanted);
    // The order of the inventory must not matter: same fleet, same choice.
    this.nodes = nodes.toSorted((left, right) => (left.name < right.name ? -1 : 1));
    this.#nodeByName = new Map(this.nodes.map((node) => [node.name, node]));
    this.#cards = new Map(this.nodes.flatMap(cardsOf));
    this.#lost = new Set(lost.map(placeKey));
    this.#lostNodes = new Set(lost.map(({ node }) => node));
    this.#quarantined = new Set(quarantined.map((entry) => `${entry.service} ${placeKey(entry)}`));
    this.#quarantinedBy = Map.groupBy(quarantined, ({ service }) => service);
    this.#zones = new ZoneUse(this.nodes, this.#lost);
    this.#closed = closed ?? [];
    for (const slice of held) this.#add(slice);
  }

  nodeOf(name: NodeName): GpuNode | null {
    return this.#nodeByName.get(name) ?? null;
  }

  gpusOf(name: NodeName): readonly GpuRoom[] {
    const known = this.#gpusByNode.get(name);
    if (known !== undefined) return known;
    const node = this.#nodeByName.get(name);
    if (node === undefined) return [];
    const make = (): readonly GpuRoom[] => node.gpus.flatMap(({ index }) => this.gpuAt({ node: name, gpu: index }) ?? []);
    // What they offer is kept with them, and depends on what of the node is lost or closed.
    const isWhole = !this.#lostNodes.has(name) && !this.#isPartClosed(name);
    const rooms = isWhole ? roomsOf(node)(this.#byNode.get(name) ?? [], make) : make();
    this.#gpusByNode.set(name, rooms);
    return rooms;
  }

  gpuAt(place: GpuPlace): GpuRoom | null {
    const key = placeKey(place);
    const known = this.#roomsByGpu.get(key);
    if (known !== undefined) return known;
    const card = this.#cards.get(key);
    if (card === undefined || this.#lost.has(key)) return null;
    const slices = this.#byGpu.get(key) ?? [];
    const room = slices.length === 0 ? unusedRoom(card) : gpuRoom(card, slices);
    this.#roomsByGpu.set(key, room);
    return room;
  }

  isUnused({ name }: GpuNode): boolean {
    return (this.#byNode.get(name)?.length ?? 0) === 0 && !this.#lostNodes.has(name) && !this.#isPartClosed(name);
  }

  freeHostBytes({ name, hostMemoryBytes }: GpuNode): number {
    const known = this.#freeHostBytes.get(name);
    if (known !== undefined) return known;
    // Counted once for each instance, however many GPUs of the node it has.
    const byInstance = new Map<InstanceName, number>();
    for (const { instance, hostBytes } of this.#byNode.get(name) ?? [])
      if (hostBytes > 0) byInstance.set(instance, Math.max(hostBytes, byInstance.get(instance) ?? 0));
    const freeBytes = hostMemoryBytes - sum([...byInstance.values()]);
    this.#freeHostBytes.set(name, freeBytes);
    return freeBytes;
  }

  zoneUsedPercent(node: GpuNode): number {
    return this.#zones.usedPercent(node, () => [...this.#byGpu.values()].flat());
  }

  isQuarantined(place: GpuPlace, service: ServiceName): boolean {
    return this.#quarantined.has(`${service} ${placeKey(place)}`);
  }

  nodesKnownTo(service: ServiceName): ReadonlySet<NodeName> {
    const known = this.#knownNodes.get(service);
    if (known !== undefined) return known;
    const places = [...this.slicesOf(service), ...(this.#quarantinedBy.get(service) ?? [])];
    const made = new Set(places.map(({ node }) => node));
    this.#knownNodes.set(service, made);
    return made;
  }

  isClosed({ node, gpu }: GpuPlace): boolean {
    return this.#closed.some((place) => place.node === node && place.gpu === gpu);
  }

  close(places: readonly GpuPlace[]): void {
    for (const touched of [...this.#closed, ...places]) this.#changed(touched, null);
    this.#closed = places;
  }

  get closed(): readonly GpuPlace[] {
    return this.#closed;
  }

  #isPartClosed(name: NodeName): boolean {
    return this.#closed.some(({ node }) => node === name);
  }

  slicesOf(service: ServiceName): readonly HeldSlice[] {
    return this.#byService.get(service) ?? [];
  }

  hold(slices: readonly HeldSlice[]): void {
    for (const slice of slices) {
      this.#add(slice);
      this.#changed(slice, slice.service);
    }
  }

  #add(slice: HeldSlice): void {
    append(this.#byGpu, placeKey(slice), slice);
    append(this.#byNode, slice.node, slice);
    if (slice.service !== null) append(this.#byService, slice.service, slice);
    this.#zones.add(slice, 1);
  }

  release(instance: InstanceName, places: readonly GpuPlace[]): void {
    for (const place of places) {
      const key = placeKey(place);
      const gone = (this.#byGpu.get(key) ?? []).filter((slice) => slice.instance === instance);
      for (const slice of gone) {
        drop(this.#byGpu, key, slice);
        drop(this.#byNode, slice.node, slice);
        if (slice.service !== null) drop(this.#byService, slice.service, slice);
        this.#zones.add(slice, -1);
        this.#changed(slice, slice.service);
      }
    }
  }

  matching(request: Pick<InstanceRequest, "nodeSelector" | "capacityType">): readonly GpuNode[] {
    const selector = JSON.stringify([request.capacityType, request.nodeSelector]);
    const known = this.#matching.get(selector) ?? this.nodes.filter((node) => matchesNode(node, request));
    this.#matching.set(selector, known);
    return known;
  }

  #changed(place: GpuPlace, service: ServiceName | null): void {
    this.#roomsByGpu.delete(placeKey(place));
    this.#gpusByNode.delete(place.node);
    this.#freeHostBytes.delete(place.node);
    if (service !== null) this.#knownNodes.delete(service);
    this.changes.push(place.node);
  }
}

/** Plan after plan the same slices stand on most nodes; what their GPUs offer is then known. */
const roomsOf = oncePer((_node: GpuNode) => createRemembered<readonly GpuRoom[]>());

type Card = Pick<GpuRoom, "node" | "gpu" | "model" | "memoryBytes" | "modes" | "unsafeToolkit">;

/** By their keys; of a node, always the same. */
const cardsOf = oncePer(({ name, gpus, unsafeToolkit }: GpuNode): readonly (readonly [string, Card])[] =>
  gpus.map(({ index, ...card }) => [placeKey({ node: name, gpu: index }), { node: name, gpu: index, ...card, unsafeToolkit }]),
);

const NO_TENANTS: ReadonlySet<TenantId> = new Set();

function gpuRoom(card: Card, slices: readonly HeldSlice[]): GpuRoom {
  const usedBytes = sum(slices.map((slice) => slice.memoryBytes));
  return {
    ...card,
    freeBytes: card.memoryBytes - usedBytes,
    cut: cutOf(slices, usedBytes),
    isTaken: slices.some(({ mode }) => mode === "exclusive"),
    holderCount: slices.length,
    services: new Set(slices.flatMap((slice) => slice.service ?? [])),
    tenants: card.unsafeToolkit === null ? NO_TENANTS : new Set(slices.map(({ tenant }) => tenant)),
  };
}

const unusedRoom = oncePer((card: Card): GpuRoom => gpuRoom(card, []));

/** The GPU, were nobody on it. */
export const emptied = (gpu: GpuRoom): GpuRoom => gpuRoom(gpu, []);

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
