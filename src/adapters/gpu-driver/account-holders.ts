import { instanceName, type NodeName } from "../../base/ids.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { ObservedGpu } from "../../ports/gpu-driver.ts";
import type { HeldBytes } from "./account-state.ts";
import { gpuKey, gpuOf, type GpuPlace } from "./gpu-losses.ts";

/** One process, and what it holds. */
export interface Holder {
  readonly instance: string;
  readonly pid: number;
  /** By `node/gpu`, and by node. */
  readonly gpuBytes: Map<string, number>;
  readonly hostBytes: Map<string, number>;
  /** Aborted when the process is dead. */
  life: AbortController;
  freeing: Timer | null;
}

/** Every process that holds something, and those that are dead and not yet torn down. */
export class AccountHolders {
  readonly #clock: Clock;
  readonly #holders = new Map<string, Holder>();
  readonly #freed: () => void;

  /** @param freed called when a dead process's bytes are free. */
  constructor(clock: Clock, freed: () => void) {
    this.#clock = clock;
    this.#freed = freed;
  }

  /** The same process again has what it held still. */
  open(instance: string, pid: number): Holder {
    const key = `${instance}#${pid}`;
    const holder = this.#holders.get(key) ?? emptyHolder(instance, pid);
    this.#holders.set(key, holder);
    holder.freeing?.cancel();
    holder.freeing = null;
    return holder;
  }

  freeAfter(holder: Holder, delayMs: number): void {
    holder.freeing?.cancel();
    holder.freeing = this.#clock.after(delayMs, () => {
      this.#holders.delete(`${holder.instance}#${holder.pid}`);
      this.#freed();
    });
  }

  /** What a GPU held is gone. */
  emptyGpu({ node, gpu }: GpuPlace): void {
    for (const holder of this.#holders.values()) holder.gpuBytes.delete(gpuKey(node, gpu));
  }

  onGpu(node: NodeName, gpu: number): ObservedGpu["holders"] {
    return [...this.#holders.values()].flatMap(({ instance, pid, gpuBytes }) => {
      const usedBytes = gpuBytes.get(gpuKey(node, gpu));
      return usedBytes === undefined ? [] : [{ instance: instanceName(instance), pid, usedBytes }];
    });
  }

  /** What all but one hold of a node's host memory. */
  hostBytesOfOthers(node: NodeName, one: Holder): number {
    let sum = 0;
    for (const other of this.#holders.values()) if (other !== one) sum += other.hostBytes.get(node) ?? 0;
    return sum;
  }

  isOnHost(node: NodeName): boolean {
    return [...this.#holders.values()].some((holder) => holder.hostBytes.has(node));
  }

  state(): readonly HeldBytes[] {
    return [...this.#holders.values()].map(heldBytes);
  }

  /** @param forMs how long each is waited for. */
  restore(held: readonly HeldBytes[], forMs: number): void {
    for (const { instance, pid, gpus, hosts } of held) {
      const holder = this.open(instance, pid);
      for (const { node, gpu, bytes } of gpus) holder.gpuBytes.set(gpuKey(node, gpu), bytes);
      for (const { node, bytes } of hosts) holder.hostBytes.set(node, bytes);
      this.freeAfter(holder, forMs);
    }
  }
}

export function setOrDelete(map: Map<string, number>, key: string, bytes: number): void {
  if (bytes === 0) map.delete(key);
  else map.set(key, bytes);
}

const emptyHolder = (instance: string, pid: number): Holder => ({
  instance,
  pid,
  gpuBytes: new Map(),
  hostBytes: new Map(),
  life: new AbortController(),
  freeing: null,
});

function heldBytes({ instance, pid, gpuBytes, hostBytes }: Holder): HeldBytes {
  const gpus = [...gpuBytes].map(([key, bytes]) => ({ ...gpuOf(key), bytes }));
  return { instance, pid, gpus, hosts: [...hostBytes].map(([node, bytes]) => ({ node, bytes })) };
}
