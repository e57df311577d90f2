import type { GpuNode } from "../../api/gpu-node.ts";
import type { NodeName } from "../../base/ids.ts";
import { isSameJson } from "../../base/same-json.ts";
import type { Clock } from "../../ports/clock.ts";
import { createSharedLink, type SharedLink } from "./shared-link.ts";

export interface AccountNode {
  spec: GpuNode;
  /** false = no longer in the inventory, and still held by some process. */
  isListed: boolean;
  readonly links: { readonly hostToGpu: SharedLink; readonly disk: SharedLink; readonly network: SharedLink };
}

/** The nodes that the account knows, and their links. */
export class AccountInventory {
  readonly #clock: Clock;
  readonly #nodes = new Map<string, AccountNode>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#nodes.size;
  }
  all(): readonly AccountNode[] {
    return [...this.#nodes.values()];
  }
  node(name: NodeName): AccountNode | null {
    return this.#nodes.get(name) ?? null;
  }
  remove(name: NodeName): void {
    this.#nodes.delete(name);
  }

  /** @returns whether it is new or another one. */
  ensure(spec: GpuNode): boolean {
    const known = this.#nodes.get(spec.name);
    if (known === undefined) {
      const { hostToGpu, disk, network } = spec.links;
      const link = (rate: number): SharedLink => createSharedLink(rate, this.#clock);
      this.#nodes.set(spec.name, { spec, isListed: true, links: { hostToGpu: link(hostToGpu), disk: link(disk), network: link(network) } });
      return true;
    }
    if (isSameJson(known.spec, spec)) return false;
    for (const name of ["hostToGpu", "disk", "network"] as const) {
      if (known.spec.links[name] !== spec.links[name]) known.links[name].setRate(spec.links[name]);
    }
    known.spec = spec;
    return true;
  }

  isListed(node: NodeName): boolean {
    return this.#nodes.get(node)?.isListed === true;
  }

  /** null = no such GPU. */
  memoryOf(node: NodeName, gpu: number): number | null {
    return this.#nodes.get(node)?.spec.gpus.find(({ index }) => index === gpu)?.memoryBytes ?? null;
  }

  /** Empty = no such GPU. */
  modelOf(node: NodeName, gpu: number): string {
    return this.#nodes.get(node)?.spec.gpus.find(({ index }) => index === gpu)?.model ?? "";
  }

  hostMemoryOf(node: NodeName): number {
    return this.#nodes.get(node)?.spec.hostMemoryBytes ?? 0;
  }

  /** GPUs of the inventory there, all of the node for null; none when it names none. */
  gpusAt(node: NodeName, gpu: number | null): readonly number[] {
    const indexes = this.#nodes.get(node)?.spec.gpus.map(({ index }) => index) ?? [];
    return gpu === null ? indexes : indexes.filter((index) => index === gpu);
  }
}
