import type { GpuNode } from "../api/gpu-node.ts";
import type { NodeName } from "../base/ids.ts";
import { placeKey, type HeldSlice } from "./placement-request.ts";

/** How full each zone is. Summed up when somebody first asks, and kept from then on: most plans never do. */
export class ZoneUse {
  readonly #nodes: readonly GpuNode[];
  readonly #lost: ReadonlySet<string>;
  #sums: { readonly zoneOf: ReadonlyMap<NodeName, Zone>; readonly cardBytes: ReadonlyMap<string, number> } | null = null;

  constructor(nodes: readonly GpuNode[], lost: ReadonlySet<string>) {
    this.#nodes = nodes;
    this.#lost = lost;
  }

  /** Of the GPU bytes of the node's zone that are not lost, 0..100, whole; nodes without a zone are one. @param held all that is. */
  usedPercent({ name }: Pick<GpuNode, "name">, held: () => readonly HeldSlice[]): number {
    if (this.#sums === null) {
      this.#sums = this.#capacities();
      for (const slice of held()) this.add(slice, 1);
    }
    const zone = this.#sums.zoneOf.get(name);
    return zone === undefined || zone.bytes === 0 ? 0 : Math.round((100 * zone.usedBytes) / zone.bytes);
  }

  /** @param sign 1 = held, -1 = given back. */
  add(slice: HeldSlice, sign: 1 | -1): void {
    const zone = this.#sums?.zoneOf.get(slice.node);
    const cardBytes = this.#sums?.cardBytes.get(placeKey(slice));
    if (zone === undefined || cardBytes === undefined) return;
    zone.usedBytes += sign * (slice.mode === "exclusive" ? cardBytes : slice.memoryBytes);
  }

  #capacities(): { readonly zoneOf: ReadonlyMap<NodeName, Zone>; readonly cardBytes: ReadonlyMap<string, number> } {
    const zones = new Map<string | null, Zone>();
    const zoneOf = new Map<NodeName, Zone>();
    const cardBytes = new Map<string, number>();
    for (const { name, zone: key, gpus } of this.#nodes) {
      const zone = zones.get(key) ?? { bytes: 0, usedBytes: 0 };
      zones.set(key, zone);
      zoneOf.set(name, zone);
      for (const { index, memoryBytes } of gpus) {
        const place = placeKey({ node: name, gpu: index });
        if (this.#lost.has(place)) continue;
        cardBytes.set(place, memoryBytes);
        zone.bytes += memoryBytes;
      }
    }
    return { zoneOf, cardBytes };
  }
}

interface Zone {
  bytes: number;
  usedBytes: number;
}
