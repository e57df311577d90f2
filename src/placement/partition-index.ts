import { GiB } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";

export interface PartitionGpu {
  readonly node: string;
  readonly zone: string;
  readonly memoryBytes: number;
}

export interface PartitionAsk {
  readonly service: string;
  readonly memoryBytes: number;
  /** Alone on its GPU. */
  readonly isExclusive: boolean;
  /** null = any. */
  readonly zone: string | null;
  /** What no two of one service may share. */
  readonly apart: "gpu" | "node" | "zone";
}

/** GPUs by zone, by whether somebody is on them, and by free GiB, so that a place is found without looking at each. */
export class PartitionIndex {
  readonly #zones: readonly string[];
  readonly #zoneOf: Uint16Array;
  readonly #nodeOf: Uint32Array;
  readonly #freeBytes: Float64Array;
  readonly #holderCount: Uint16Array;
  readonly #isTaken: Uint8Array;
  readonly #levelCount: number;
  /** First GPU of each list, -1 = empty; lists are doubly linked through `#next` and `#previous`. */
  readonly #heads: Int32Array;
  /** A bit for each list that is not empty, so that empty ones are stepped over. */
  readonly #filled: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #held = new Map<string, ServiceHeld>();

  constructor(gpus: readonly PartitionGpu[]) {
    this.#zones = [...new Set(gpus.map(({ zone }) => zone))].toSorted();
    const nodes = new Map<string, number>();
    for (const { node } of gpus) if (!nodes.has(node)) nodes.set(node, nodes.size);
    const zoneNumbers = new Map(this.#zones.map((zone, index) => [zone, index]));
    this.#zoneOf = Uint16Array.from(gpus, ({ zone }) => zoneNumbers.get(zone) ?? 0);
    this.#nodeOf = Uint32Array.from(gpus, ({ node }) => nodes.get(node) ?? 0);
    this.#freeBytes = Float64Array.from(gpus, ({ memoryBytes }) => memoryBytes);
    this.#holderCount = new Uint16Array(gpus.length);
    this.#isTaken = new Uint8Array(gpus.length);
    const levelMax = gpus.reduce((most, { memoryBytes }) => Math.max(most, levelOf(memoryBytes)), 0);
    this.#levelCount = WORD_BITS * (1 + Math.floor(levelMax / WORD_BITS));
    this.#heads = new Int32Array(this.#zones.length * 2 * this.#levelCount).fill(-1);
    this.#filled = new Int32Array(this.#heads.length / WORD_BITS);
    this.#next = new Int32Array(gpus.length).fill(-1);
    this.#previous = new Int32Array(gpus.length).fill(-1);
    for (let gpu = gpus.length - 1; gpu >= 0; gpu--) this.#link(gpu);
  }

  /** Holds the fullest GPU that does, a used one before a free one; the smallest free one for who wants it alone. null = there is none. */
  place(ask: PartitionAsk): number | null {
    const held = this.#held.get(ask.service) ?? { gpus: new Map(), nodes: new Map(), zones: new Map() };
    const gpu = ask.isExclusive ? this.#find(ask, held, FREE) : (this.#find(ask, held, USED) ?? this.#find(ask, held, FREE));
    if (gpu === null) return null;
    this.#unlink(gpu);
    this.#freeBytes[gpu] = (this.#freeBytes[gpu] ?? 0) - ask.memoryBytes;
    this.#holderCount[gpu] = (this.#holderCount[gpu] ?? 0) + 1;
    this.#isTaken[gpu] = ask.isExclusive ? 1 : 0;
    if (!ask.isExclusive) this.#link(gpu);
    this.#held.set(ask.service, held);
    this.#count(held, gpu, 1);
    return gpu;
  }

  /** Gives back what `place` held for the same ask. */
  release(ask: PartitionAsk, gpu: number): void {
    const held = this.#held.get(ask.service);
    assert(held !== undefined && held.gpus.has(gpu), "a partition is released only where it is held");
    if (this.#isTaken[gpu] === 0) this.#unlink(gpu);
    this.#isTaken[gpu] = 0;
    this.#freeBytes[gpu] = (this.#freeBytes[gpu] ?? 0) + ask.memoryBytes;
    this.#holderCount[gpu] = (this.#holderCount[gpu] ?? 0) - 1;
    this.#link(gpu);
    this.#count(held, gpu, -1);
    if (held.gpus.size === 0) this.#held.delete(ask.service);
  }

  #find(ask: PartitionAsk, held: ServiceHeld, use: Use): number | null {
    let best: number | null = null;
    let bestLevel = this.#levelCount;
    for (let zone = 0; zone < this.#zones.length; zone++) {
      if (ask.zone !== null && this.#zones[zone] !== ask.zone) continue;
      if (ask.apart === "zone" && held.zones.has(zone)) continue;
      const base = (zone * 2 + use) * this.#levelCount;
      for (let level = this.#filledFrom(base, levelOf(ask.memoryBytes)); level < bestLevel; level = this.#filledFrom(base, level + 1)) {
        const gpu = this.#firstOf(base + level, ask, held);
        if (gpu < 0) continue;
        best = gpu;
        bestLevel = level;
      }
    }
    return best;
  }

  /** The first level from this one on whose list is not empty; the count of levels when all are. */
  #filledFrom(base: number, level: number): number {
    for (let at = level; at < this.#levelCount; at = (Math.floor(at / WORD_BITS) + 1) * WORD_BITS) {
      const word = (this.#filled[Math.floor((base + at) / WORD_BITS)] ?? 0) & (-1 << (at % WORD_BITS));
      if (word !== 0) return at - (at % WORD_BITS) + 31 - Math.clz32(word & -word);
    }
    return this.#levelCount;
  }

  /** -1 = none of this list. */
  #firstOf(list: number, ask: PartitionAsk, held: ServiceHeld): number {
    for (let gpu = this.#heads[list] ?? -1; gpu >= 0; gpu = this.#next[gpu] ?? -1) {
      if ((this.#freeBytes[gpu] ?? 0) < ask.memoryBytes || held.gpus.has(gpu)) continue;
      if (ask.apart === "node" && held.nodes.has(this.#nodeOf[gpu] ?? 0)) continue;
      return gpu;
    }
    return -1;
  }

  #listOf(gpu: number): number {
    const use = this.#holderCount[gpu] === 0 ? FREE : USED;
    return ((this.#zoneOf[gpu] ?? 0) * 2 + use) * this.#levelCount + levelOf(this.#freeBytes[gpu] ?? 0);
  }

  #link(gpu: number): void {
    const list = this.#listOf(gpu);
    const head = this.#heads[list] ?? -1;
    this.#next[gpu] = head;
    this.#previous[gpu] = -1;
    if (head >= 0) this.#previous[head] = gpu;
    this.#heads[list] = gpu;
    this.#mark(list, gpu);
  }

  #mark(list: number, head: number): void {
    const word = Math.floor(list / WORD_BITS);
    const bit = 1 << (list % WORD_BITS);
    this.#filled[word] = head < 0 ? (this.#filled[word] ?? 0) & ~bit : (this.#filled[word] ?? 0) | bit;
  }

  #unlink(gpu: number): void {
    const next = this.#next[gpu] ?? -1;
    const previous = this.#previous[gpu] ?? -1;
    if (previous < 0) {
      const list = this.#listOf(gpu);
      this.#heads[list] = next;
      this.#mark(list, next);
    } else this.#next[previous] = next;
    if (next >= 0) this.#previous[next] = previous;
  }

  #count(held: ServiceHeld, gpu: number, by: 1 | -1): void {
    add(held.gpus, gpu, by);
    add(held.nodes, this.#nodeOf[gpu] ?? 0, by);
    add(held.zones, this.#zoneOf[gpu] ?? 0, by);
  }
}

/** How many partitions a service has on each. */
interface ServiceHeld {
  readonly gpus: Map<number, number>;
  readonly nodes: Map<number, number>;
  readonly zones: Map<number, number>;
}

const WORD_BITS = 32;
const FREE = 0;
const USED = 1;
type Use = typeof FREE | typeof USED;

const levelOf = (bytes: number): number => Math.floor(bytes / GiB);

function add(counts: Map<number, number>, key: number, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
