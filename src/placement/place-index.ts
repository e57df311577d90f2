import { matchesNode } from "../api/match-node.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { NodeName } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import type { FleetRoom } from "./fleet-room.ts";
import { newcomerOffer, offerOfNode, shapeOf, type NodeOffer } from "./node-offer.ts";
import { companionsOf, proximityAt, type Companions } from "./proximity.ts";
import type { InstanceRequest } from "./placement-request.ts";

/** A node as a place for one instance. */
export interface RankedNode {
  readonly node: GpuNode;
  readonly offer: NodeOffer;
  /** Compared before the rank of the offer: how near the node is to the rest of its service. Smaller is better. */
  readonly nearness: readonly number[];
}

export function rankNode(
  request: InstanceRequest,
  node: GpuNode,
  of: { readonly offer: NodeOffer; readonly companions: Companions },
): RankedNode {
  const { sameNodeCount, sameZoneCount } = proximityAt(of.companions, node);
  // A hot instance on spot is lost without a fault; the others are there for that day.
  const isRisky = request.level === "hot" && node.capacityType === "spot";
  return { node, offer: of.offer, nearness: [sameNodeCount, isRisky ? 1 : 0, sameZoneCount] };
}

export function byRank(left: RankedNode, right: RankedNode): number {
  return compareRanks(left.nearness, right.nearness) || compareOffers(left, right);
}

/** Whether the node can take the instance. */
const isEnough = (
  request: InstanceRequest,
  node: GpuNode,
  { offer, room }: { readonly offer: NodeOffer; readonly room: FleetRoom },
): boolean => offer.chosen.length >= request.memberBytes.length && room.freeHostBytes(node) >= request.hostBytes;

/**
 * The best node for an instance, or null: what a ranking of all nodes would begin with. Nodes where its service has nothing stand
 * ready in order; only the few others are looked at one by one.
 */
export function bestPlace(request: InstanceRequest, room: FleetRoom): RankedNode | null {
  const companions = companionsOf(request, room);
  const known = room.nodesKnownTo(request.service);
  let best: RankedNode | null = null;
  const consider = (node: GpuNode, offer: NodeOffer): void => {
    const ranked = rankNode(request, node, { offer, companions });
    if (best === null || byRank(ranked, best) < 0) best = ranked;
  };
  for (const { node, offer } of indexOf(request, room).firsts(known)) consider(node, offer);
  for (const name of known) {
    const node = room.nodeOf(name);
    if (node === null || !matchesNode(node, request)) continue;
    const offer = offerOfNode(request, node, room);
    if (isEnough(request, node, { offer, room })) consider(node, offer);
  }
  return best;
}

/** Each holds a few objects for every node. */
const INDEXES_MAX = 64;

const indexesOf = oncePer((_room: FleetRoom) => new Map<string, NewcomerIndex>());

function indexOf(request: InstanceRequest, room: FleetRoom): NewcomerIndex {
  const indexes = indexesOf(room);
  const key = `${shapeOf(request)} ${request.hostBytes} ${request.capacityType} ${JSON.stringify(request.nodeSelector)}`;
  const index = indexes.get(key) ?? new NewcomerIndex(request, room);
  // The one that was asked longest ago stands first.
  indexes.delete(key);
  const [oldest] = indexes.keys();
  if (indexes.size >= INDEXES_MAX && oldest !== undefined) indexes.delete(oldest);
  indexes.set(key, index);
  return index;
}

interface Entry {
  readonly node: GpuNode;
  readonly offer: NodeOffer;
}

/**
 * For requests of one shape: the nodes that can take a newcomer, the best first, apart for each kind of place (a zone's spot nodes, say),
 * so that of nodes of one kind only the first can be the best. After a change only the nodes that it touched are looked at again.
 */
class NewcomerIndex {
  readonly #request: InstanceRequest;
  readonly #room: FleetRoom;
  readonly #places = new Map<string, Entry[]>();
  readonly #entries = new Map<NodeName, Entry>();
  /** Of the room's changes, those that are in here. */
  #changeCount: number;

  /** @param request whoever asks first; only what all of its shape have in common is read of it. */
  constructor(request: InstanceRequest, room: FleetRoom) {
    this.#request = request;
    this.#room = room;
    this.#changeCount = room.changes.length;
    for (const node of room.matching(request)) {
      const entry = this.#entryOf(node);
      if (entry !== null) this.#placeOf(node).push(entry);
    }
    for (const place of this.#places.values()) place.sort(compareOffers);
  }

  /** The best of each kind of place, without the nodes named. */
  *firsts(without: ReadonlySet<NodeName>): Generator<Entry, void, undefined> {
    this.#follow();
    for (const place of this.#places.values()) {
      const first = place.find(({ node }) => !without.has(node.name));
      if (first !== undefined) yield first;
    }
  }

  #follow(): void {
    const { changes } = this.#room;
    const touched = new Set(changes.slice(this.#changeCount));
    this.#changeCount = changes.length;
    for (const name of touched) {
      const node = this.#room.nodeOf(name);
      if (node !== null && matchesNode(node, this.#request)) this.#renew(node);
    }
  }

  #renew(node: GpuNode): void {
    const place = this.#placeOf(node);
    const before = this.#entries.get(node.name);
    if (before !== undefined) place.splice(positionOf(before, place), 1);
    const entry = this.#entryOf(node);
    if (entry !== null) place.splice(positionOf(entry, place), 0, entry);
  }

  #entryOf(node: GpuNode): Entry | null {
    const offer = newcomerOffer(this.#request, node, this.#room);
    const entry = isEnough(this.#request, node, { offer, room: this.#room }) ? { node, offer } : null;
    if (entry === null) this.#entries.delete(node.name);
    else this.#entries.set(node.name, entry);
    return entry;
  }

  #placeOf({ zone, capacityType }: GpuNode): Entry[] {
    const key = JSON.stringify([zone, capacityType]);
    const place = this.#places.get(key) ?? [];
    this.#places.set(key, place);
    return place;
  }
}

/** Where it stands, or belongs. No two are equal: the last thing compared is the name. */
function positionOf(entry: Entry, sorted: readonly Entry[]): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const there = sorted[middle];
    if (there !== undefined && there !== entry && compareOffers(there, entry) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compareOffers(left: Entry, right: Entry): number {
  return (
    compareRanks(left.offer.rank, right.offer.rank) || (left.node.name < right.node.name ? -1 : left.node.name > right.node.name ? 1 : 0)
  );
}

function compareRanks(left: readonly number[], right: readonly number[]): number {
  for (let at = 0; at < left.length; at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
