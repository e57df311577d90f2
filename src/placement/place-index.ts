import { matchesNode } from "../api/match-node.ts";
import { spotPoolOf } from "../api/spot-pool.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { NodeName } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import type { FleetRoom } from "./fleet-room.ts";
import { newcomerRank, offerOfNode, rankOfOffer, type NodeRank } from "./node-offer.ts";
import { shapeOf } from "./request-shape.ts";
import { companionsOf, proximityAt, type Companions } from "./proximity.ts";
import type { InstanceRequest } from "./placement-request.ts";

/** A node as a place for one instance. */
export interface RankedNode {
  readonly node: GpuNode;
  /** How near the node is to the rest of its service. This is compared first; smaller is better in all of them. */
  readonly nearness: readonly number[];
  /** What the place leaves for others. */
  readonly strandedPercent: number;
  /** How full the zone is, so that a service which needs several finds room in each; 0 where it is not known what is wanted. */
  readonly zoneUsedPercent: number;
  /** The rest of what it offers; at last, the name. */
  readonly rank: readonly number[];
}

/** @param of the companions are those of the request in that room. */
export function rankNode(
  request: InstanceRequest,
  { node, strandedPercent, rank }: Entry,
  { companions, room }: { readonly companions: Companions; readonly room: FleetRoom },
): RankedNode {
  const { sameNodeCount, samePoolCount, sameZoneCount } = proximityAt(companions, node);
  // A hot instance on spot is lost without a fault; the others are there for that day. And a pool is taken back far sooner than a zone fails.
  const isRisky = request.level === "hot" && node.capacityType === "spot";
  const zoneUsedPercent = room.wanted === null ? 0 : room.zoneUsedPercent(node);
  return { node, strandedPercent, zoneUsedPercent, rank, nearness: [sameNodeCount, isRisky ? 1 : 0, samePoolCount, sameZoneCount] };
}

export function byRank(left: RankedNode, right: RankedNode): number {
  return (
    compareRanks(left.nearness, right.nearness) ||
    left.strandedPercent - right.strandedPercent ||
    left.zoneUsedPercent - right.zoneUsedPercent ||
    compareEntries(left, right)
  );
}

/**
 * The best node for an instance, or null: what a ranking of all nodes would begin with. Nodes where its service has nothing stand
 * ready in order; only the few others are looked at one by one.
 */
export function bestPlace(request: InstanceRequest, room: FleetRoom): RankedNode | null {
  const companions = companionsOf(request, room);
  const known = room.nodesKnownTo(request.service);
  let best: RankedNode | null = null;
  const consider = (entry: Entry): void => {
    const ranked = rankNode(request, entry, { companions, room });
    if (best === null || byRank(ranked, best) < 0) best = ranked;
  };
  for (const index of indexesFor(request, room)) for (const first of index.firsts(known)) consider(first);
  for (const name of known) {
    const node = room.nodeOf(name);
    if (node === null || !matchesNode(node, request)) continue;
    const ranked = rankOfOffer(offerOfNode(request, node, room));
    if (isEnough(request, ranked, room.freeHostBytes(node))) consider({ node, ...ranked });
  }
  return best;
}

const isEnough = (request: InstanceRequest, { gpuCount }: NodeRank, freeHostBytes: number): boolean =>
  gpuCount >= request.memberBytes.length && freeHostBytes >= request.hostBytes;

/** Each holds a few objects for every node. */
const INDEXES_MAX = 64;

const indexesOf = oncePer((_room: FleetRoom) => new Map<string, NewcomerIndex>());

/** Where tenants must not share a GPU, nodes stand in another order for each of them: in an index of its own, for all others remain one. */
const indexesFor = (request: InstanceRequest, room: FleetRoom): readonly NewcomerIndex[] =>
  hasUnsafe(room) ? [indexOf(request, room, "safe"), indexOf(request, room, "unsafe")] : [indexOf(request, room, "safe")];

const hasUnsafe = oncePer(({ nodes }: FleetRoom): boolean => nodes.some((node) => safetyOf(node) === "unsafe"));

type Safety = "safe" | "unsafe";
const safetyOf = ({ unsafeToolkit }: GpuNode): Safety => (unsafeToolkit === null ? "safe" : "unsafe");

function indexOf(request: InstanceRequest, room: FleetRoom, safety: Safety): NewcomerIndex {
  const indexes = indexesOf(room);
  const whose = safety === "safe" ? "" : `${request.tenant} `;
  const key = `${whose}${shapeOf(request)} ${request.hostBytes} ${request.capacityType} ${JSON.stringify(request.nodeSelector)}`;
  const index = indexes.get(key) ?? new NewcomerIndex(request, room, safety);
  // The one that was asked longest ago stands first.
  indexes.delete(key);
  const [oldest] = indexes.keys();
  if (indexes.size >= INDEXES_MAX && oldest !== undefined) indexes.delete(oldest);
  indexes.set(key, index);
  return index;
}

/** A node that can take an instance. */
type Entry = Pick<RankedNode, "node" | "strandedPercent" | "rank">;

/**
 * For requests of one shape: the nodes that can take a newcomer, the best first, apart for each kind of place (a zone's spot nodes, say),
 * so that of nodes of one kind only the first can be the best. After a change only the nodes that it touched are looked at again.
 */
class NewcomerIndex {
  readonly #request: InstanceRequest;
  readonly #room: FleetRoom;
  readonly #safety: Safety;
  readonly #places = new Map<string, Entry[]>();
  readonly #entries = new Map<NodeName, Entry>();
  /** Of the room's changes, those that are in here. */
  #changeCount: number;

  /** @param request whoever asks first; only what all of its shape (and where it matters, of its tenant) have in common is read of it. */
  constructor(request: InstanceRequest, room: FleetRoom, safety: Safety) {
    this.#request = request;
    this.#room = room;
    this.#safety = safety;
    this.#changeCount = room.changes.length;
    for (const node of room.matching(request)) {
      if (safetyOf(node) !== safety) continue;
      const entry = this.#entryOf(node);
      if (entry !== null) this.#placeOf(node).push(entry);
    }
    for (const place of this.#places.values()) place.sort(compareEntries);
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
      if (node !== null && safetyOf(node) === this.#safety && matchesNode(node, this.#request)) this.#renew(node);
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
    const ranked = newcomerRank(this.#request, node, this.#room);
    const entry = isEnough(this.#request, ranked, this.#room.freeHostBytes(node)) ? { node, ...ranked } : null;
    if (entry === null) this.#entries.delete(node.name);
    else this.#entries.set(node.name, entry);
    return entry;
  }

  #placeOf(node: GpuNode): Entry[] {
    const key = kindOfPlace(node);
    const place = this.#places.get(key) ?? [];
    this.#places.set(key, place);
    return place;
  }
}

/** All of a node that its nearness and the use of its zone depend on, as long as nothing of the service stands on it. */
const kindOfPlace = oncePer((node: GpuNode): string => JSON.stringify([node.zone, node.capacityType, spotPoolOf(node)]));

/** Where it stands, or belongs. No two are equal: the last thing compared is the name. */
function positionOf(entry: Entry, sorted: readonly Entry[]): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const there = sorted[middle];
    if (there !== undefined && there !== entry && compareEntries(there, entry) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compareEntries(left: Entry, right: Entry): number {
  const first = left.strandedPercent - right.strandedPercent || compareRanks(left.rank, right.rank);
  return first || (left.node.name < right.node.name ? -1 : left.node.name > right.node.name ? 1 : 0);
}

function compareRanks(left: readonly number[], right: readonly number[]): number {
  for (let at = 0; at < left.length; at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
