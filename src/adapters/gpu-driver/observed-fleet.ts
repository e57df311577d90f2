import type { NodeName } from "../../base/ids.ts";
import { isSameJson } from "../../base/same-json.ts";
import type { ObservedGpu } from "../../ports/gpu-driver.ts";

type GpuPlace = Pick<ObservedGpu, "node" | "gpu">;

/**
 * What a driver shows of its GPUs, made again only of nodes where something happened: who compares fleets sees at once what is as it was.
 * @param nodes in the order in which they are shown.
 */
export class ObservedFleet {
  readonly #nodes: () => readonly NodeName[];
  readonly #look: (node: NodeName) => readonly ObservedGpu[];
  #shown: { readonly gpus: readonly ObservedGpu[]; readonly firstOf: ReadonlyMap<NodeName, number> } | null = null;
  readonly #touched = new Set<NodeName>();
  readonly #isChanging: (node: NodeName, gpu: number) => boolean;
  /** Their GPUs whose dirty bytes become fewer with the time alone, once that has begun. */
  readonly #dirty = new Map<NodeName, readonly number[]>();

  /** @param isChanging whether dirty bytes of a GPU are being scrubbed. */
  constructor(
    nodes: () => readonly NodeName[],
    look: (node: NodeName) => readonly ObservedGpu[],
    isChanging: (node: NodeName, gpu: number) => boolean,
  ) {
    this.#nodes = nodes;
    this.#look = look;
    this.#isChanging = isChanging;
  }

  /** Something may have happened there; null = anywhere, or there are other nodes. */
  touch(node: NodeName | null): void {
    if (node === null) this.#shown = null;
    else this.#touched.add(node);
  }

  /** A few of them, without a look at the rest. @param lookAt how one of them is looked at; null = there is none. */
  pick(places: readonly GpuPlace[], lookAt: (place: GpuPlace) => ObservedGpu | null): readonly ObservedGpu[] {
    return places.flatMap((place) => this.#known(place) ?? lookAt(place) ?? []);
  }

  /** null = something may have happened there since it was shown. */
  #known({ node, gpu }: GpuPlace): ObservedGpu | null {
    const first = this.#shown?.firstOf.get(node);
    if (first === undefined || this.#touched.has(node) || this.#dirty.has(node)) return null;
    const known = this.#shown?.gpus[first + gpu];
    return known !== undefined && known.node === node && known.gpu === gpu ? known : null;
  }

  show(): readonly ObservedGpu[] {
    if (this.#shown === null) return this.#showAll();
    const { gpus, firstOf } = this.#shown;
    let next: ObservedGpu[] | null = null;
    for (const [node, indexes] of this.#dirty) if (indexes.some((gpu) => this.#isChanging(node, gpu))) this.#touched.add(node);
    for (const node of this.#touched) {
      const first = firstOf.get(node);
      if (first === undefined) continue;
      for (const [index, gpu] of this.#lookAt(node).entries()) {
        if (isSameJson(gpu, gpus[first + index])) continue;
        next ??= gpus.slice();
        next[first + index] = gpu;
      }
    }
    this.#touched.clear();
    if (next !== null) this.#shown = { gpus: next, firstOf };
    return this.#shown.gpus;
  }

  #showAll(): readonly ObservedGpu[] {
    const gpus: ObservedGpu[] = [];
    const firstOf = new Map<NodeName, number>();
    this.#dirty.clear();
    for (const node of this.#nodes()) {
      firstOf.set(node, gpus.length);
      gpus.push(...this.#lookAt(node));
    }
    this.#touched.clear();
    this.#shown = { gpus, firstOf };
    return gpus;
  }

  #lookAt(node: NodeName): readonly ObservedGpu[] {
    const gpus = this.#look(node);
    const dirty = gpus.filter((gpu) => gpu.dirty.length > 0).map(({ gpu }) => gpu);
    if (dirty.length > 0) this.#dirty.set(node, dirty);
    else this.#dirty.delete(node);
    return gpus;
  }
}
