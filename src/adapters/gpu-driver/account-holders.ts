import { instanceName, wallMs, type NodeName, type WallMs } from "../../base/ids.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { GpuHolder } from "../../ports/gpu-driver.ts";
import type { HeldBytes } from "./account-state.ts";
import type { MemoryOwner } from "./dirty-memory.ts";
import { gpuKey, gpuOf, type GpuPlace } from "./gpu-losses.ts";

/** What a process holds of one GPU. */
export interface Hold {
  readonly bytes: number;
  readonly isParked: boolean;
  /** Whose the bytes are, from the first one on. */
  readonly owner: MemoryOwner;
}

/** One process, and what it holds. */
export interface Holder {
  readonly instance: string;
  readonly pid: number;
  /** By `node/gpu`, and by node. */
  readonly gpuHolds: Map<string, Hold>;
  readonly hostBytes: Map<string, number>;
  /** Aborted when the process is dead. */
  life: AbortController;
  freeing: Timer | null;
  /** null = it lives, as far as anybody knows. */
  freeAtWallMs: WallMs | null;
}

/** Every process that holds something, and those that are dead and not yet torn down. */
export class AccountHolders {
  readonly #clock: Clock;
  readonly #holders = new Map<string, Holder>();
  readonly #freed: (holder: Holder) => void;

  /** @param freed called when a dead process's bytes are free. */
  constructor(clock: Clock, freed: (holder: Holder) => void) {
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
    holder.freeAtWallMs = null;
    return holder;
  }

  /** The process is dead. */
  die(holder: Holder, teardownMs: number): void {
    holder.freeAtWallMs = wallMs(Math.ceil(this.#clock.wallMs() + teardownMs));
    this.#freeAfter(holder, teardownMs);
  }

  /** What a GPU held is held no more. @returns each hold that ended so. */
  emptyGpu({ node, gpu }: GpuPlace): readonly Hold[] {
    const key = gpuKey(node, gpu);
    const holds = [...this.#holders.values()].flatMap(({ gpuHolds }) => gpuHolds.get(key) ?? []);
    for (const holder of this.#holders.values()) holder.gpuHolds.delete(key);
    return holds;
  }

  all(): readonly Holder[] {
    return [...this.#holders.values()];
  }

  onGpu(node: NodeName, gpu: number): readonly GpuHolder[] {
    return [...this.#holders.values()].flatMap(({ instance, pid, gpuHolds, freeAtWallMs }): readonly GpuHolder[] => {
      const hold = gpuHolds.get(gpuKey(node, gpu));
      if (hold === undefined) return [];
      const state = freeAtWallMs !== null ? "gone" : hold.isParked ? "parked" : "awake";
      return [{ instance: instanceName(instance), pid, usedBytes: hold.bytes, state }];
    });
  }

  bytesOnGpu(node: NodeName, gpu: number): number {
    let sum = 0;
    for (const { gpuHolds } of this.#holders.values()) sum += gpuHolds.get(gpuKey(node, gpu))?.bytes ?? 0;
    return sum;
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

  /** @param forMs how long each that may live is waited for. */
  restore(held: readonly HeldBytes[], forMs: number): void {
    for (const { instance, pid, gpus, hosts, freeAtWallMs } of held) {
      const holder = this.open(instance, pid);
      for (const { node, gpu, bytes, isParked, tenant, mig } of gpus)
        holder.gpuHolds.set(gpuKey(node, gpu), { bytes, isParked, owner: { tenant, mig } });
      for (const { node, bytes } of hosts) holder.hostBytes.set(node, bytes);
      if (freeAtWallMs === null) this.#freeAfter(holder, forMs);
      else this.die(holder, Math.max(0, freeAtWallMs - this.#clock.wallMs()));
    }
  }

  #freeAfter(holder: Holder, delayMs: number): void {
    holder.freeing?.cancel();
    holder.freeing = this.#clock.after(delayMs, () => {
      this.#holders.delete(`${holder.instance}#${holder.pid}`);
      this.#freed(holder);
    });
  }
}

const emptyHolder = (instance: string, pid: number): Holder => ({
  instance,
  pid,
  gpuHolds: new Map(),
  hostBytes: new Map(),
  life: new AbortController(),
  freeing: null,
  freeAtWallMs: null,
});

function heldBytes({ instance, pid, gpuHolds, hostBytes, freeAtWallMs }: Holder): HeldBytes {
  const gpus = [...gpuHolds].map(([key, { bytes, isParked, owner }]) => ({ ...gpuOf(key), bytes, isParked, ...owner }));
  return { instance, pid, gpus, hosts: [...hostBytes].map(([node, bytes]) => ({ node, bytes })), freeAtWallMs };
}
