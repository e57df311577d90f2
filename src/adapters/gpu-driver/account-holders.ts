import { instanceName, nodeName, type NodeName } from "../../base/ids.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { ObservedGpu } from "../../ports/gpu-driver.ts";
import type { HeldBytes } from "./account-state.ts";
import { gpuKey, gpuOf, type GpuPlace } from "./gpu-losses.ts";

/** One process, and what it holds. */
export interface Holder {
  readonly instance: string;
  readonly pid: number;
  /** Counts all that were ever opened. */
  readonly order: number;
  /** By `node/gpu`, and by node. Those of GPUs are written by `AccountHolders.setGpu` only. */
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
  readonly #byGpu = new Map<string, Set<Holder>>();
  #openedCount = 0;
  readonly #freed: () => void;
  readonly #gpuChanged: (node: NodeName) => void;

  /** @param on.freed called when a dead process's bytes are free. `gpuChanged`: other bytes are held on a GPU of the node. */
  constructor(clock: Clock, on: { readonly freed: () => void; readonly gpuChanged: (node: NodeName) => void }) {
    this.#clock = clock;
    this.#freed = on.freed;
    this.#gpuChanged = on.gpuChanged;
  }

  /** The same process again has what it held still. */
  open(instance: string, pid: number): Holder {
    const key = `${instance}#${pid}`;
    const holder = this.#holders.get(key) ?? emptyHolder(instance, pid, this.#openedCount++);
    this.#holders.set(key, holder);
    holder.freeing?.cancel();
    holder.freeing = null;
    return holder;
  }

  freeAfter(holder: Holder, delayMs: number): void {
    holder.freeing?.cancel();
    holder.freeing = this.#clock.after(delayMs, () => {
      this.#holders.delete(`${holder.instance}#${holder.pid}`);
      for (const key of holder.gpuBytes.keys()) this.setGpu(holder, gpuOf(key), 0);
      this.#freed();
    });
  }

  /** What a GPU held is gone. */
  emptyGpu(at: GpuPlace): void {
    for (const holder of this.#on(at)) this.setGpu(holder, at, 0);
  }

  setGpu(holder: Holder, at: GpuPlace, bytes: number): void {
    const key = gpuKey(at.node, at.gpu);
    setOrDelete(holder.gpuBytes, key, bytes);
    const holders = this.#byGpu.get(key) ?? new Set();
    if (bytes === 0) holders.delete(holder);
    else holders.add(holder);
    if (holders.size === 0) this.#byGpu.delete(key);
    else this.#byGpu.set(key, holders);
    this.#gpuChanged(at.node);
  }

  /** In the order in which they were opened. */
  #on({ node, gpu }: GpuPlace): readonly Holder[] {
    return [...(this.#byGpu.get(gpuKey(node, gpu)) ?? [])].toSorted((left, right) => left.order - right.order);
  }

  onGpu(node: NodeName, gpu: number): ObservedGpu["holders"] {
    return this.#on({ node, gpu }).flatMap(({ instance, pid, gpuBytes }) => {
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
      for (const { node, gpu, bytes } of gpus) this.setGpu(holder, { node: nodeName(node), gpu }, bytes);
      for (const { node, bytes } of hosts) holder.hostBytes.set(node, bytes);
      this.freeAfter(holder, forMs);
    }
  }
}

export function setOrDelete(map: Map<string, number>, key: string, bytes: number): void {
  if (bytes === 0) map.delete(key);
  else map.set(key, bytes);
}

const emptyHolder = (instance: string, pid: number, order: number): Holder => ({
  instance,
  pid,
  order,
  gpuBytes: new Map(),
  hostBytes: new Map(),
  life: new AbortController(),
  freeing: null,
});

function heldBytes({ instance, pid, gpuBytes, hostBytes }: Holder): HeldBytes {
  const gpus = [...gpuBytes].map(([key, bytes]) => ({ ...gpuOf(key), bytes }));
  return { instance, pid, gpus, hosts: [...hostBytes].map(([node, bytes]) => ({ node, bytes })) };
}
