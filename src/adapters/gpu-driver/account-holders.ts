import { instanceName, nodeName, wallMs, type NodeName, type WallMs } from "../../base/ids.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { GpuHolder } from "../../ports/gpu-driver.ts";
import type { HeldBytes } from "./account-state.ts";
import type { Member } from "./compute-account.ts";
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
  /** Counts all that were ever opened. */
  readonly order: number;
  /** By `node/gpu`; written by `AccountHolders.setHold` only. */
  readonly gpuHolds: Map<string, Hold>;
  /** By node. */
  readonly hostBytes: Map<string, number>;
  /** Aborted when the process is dead. */
  life: AbortController;
  freeing: Timer | null;
  /** Its part in the compute of its GPUs; null = it takes none. */
  compute: Member | null;
  /** null = it lives, as far as anybody knows. */
  freeAtWallMs: WallMs | null;
}

const NOBODY: readonly Holder[] = [];

/** Every process that holds something, and those that are dead and not yet torn down. */
export class AccountHolders {
  readonly #clock: Clock;
  readonly #holders = new Map<string, Holder>();
  readonly #byGpu = new Map<string, Set<Holder>>();
  #openedCount = 0;
  readonly #freed: (holder: Holder) => void;

  /** @param freed called when a dead process's bytes are free. */
  constructor(clock: Clock, freed: (holder: Holder) => void) {
    this.#clock = clock;
    this.#freed = freed;
  }

  /** The same process again has what it held still. */
  open(instance: string, pid: number): Holder {
    const key = `${instance}#${pid}`;
    const holder = this.#holders.get(key) ?? emptyHolder(instance, pid, this.#openedCount++);
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
  emptyGpu(at: GpuPlace): readonly Hold[] {
    const holders = this.#on(at);
    const holds = holders.flatMap(({ gpuHolds }) => gpuHolds.get(gpuKey(at.node, at.gpu)) ?? []);
    for (const holder of holders) this.setHold(holder, at, null);
    return holds;
  }

  /** @param hold null = it holds nothing there. */
  setHold(holder: Holder, { node, gpu }: GpuPlace, hold: Hold | null): void {
    const key = gpuKey(node, gpu);
    const holders = this.#byGpu.get(key) ?? new Set();
    this.#byGpu.set(key, holders);
    if (hold === null) {
      holder.gpuHolds.delete(key);
      holders.delete(holder);
      return;
    }
    holder.gpuHolds.set(key, hold);
    holders.add(holder);
  }

  /** In the order in which they were opened. */
  #on({ node, gpu }: GpuPlace): readonly Holder[] {
    const holders = this.#byGpu.get(gpuKey(node, gpu));
    if (holders === undefined || holders.size === 0) return NOBODY;
    return holders.size === 1 ? [...holders] : [...holders].toSorted((left, right) => left.order - right.order);
  }

  all(): readonly Holder[] {
    return [...this.#holders.values()];
  }

  onGpu(node: NodeName, gpu: number): readonly GpuHolder[] {
    return this.#on({ node, gpu }).flatMap(({ instance, pid, gpuHolds, freeAtWallMs, compute }): readonly GpuHolder[] => {
      const hold = gpuHolds.get(gpuKey(node, gpu));
      if (hold === undefined) return [];
      const state = freeAtWallMs !== null ? "gone" : hold.isParked ? "parked" : "awake";
      return [{ instance: instanceName(instance), pid, usedBytes: hold.bytes, state, compute: compute?.useOn({ node, gpu }) ?? null }];
    });
  }

  bytesOnGpu(node: NodeName, gpu: number): number {
    let sum = 0;
    for (const { gpuHolds } of this.#on({ node, gpu })) sum += gpuHolds.get(gpuKey(node, gpu))?.bytes ?? 0;
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
        this.setHold(holder, { node: nodeName(node), gpu }, { bytes, isParked, owner: { tenant, mig } });
      for (const { node, bytes } of hosts) holder.hostBytes.set(node, bytes);
      if (freeAtWallMs === null) this.#freeAfter(holder, forMs);
      else this.die(holder, Math.max(0, freeAtWallMs - this.#clock.wallMs()));
    }
  }

  #freeAfter(holder: Holder, delayMs: number): void {
    holder.freeing?.cancel();
    holder.freeing = this.#clock.after(delayMs, () => {
      this.#holders.delete(`${holder.instance}#${holder.pid}`);
      for (const key of holder.gpuHolds.keys()) this.#byGpu.get(key)?.delete(holder);
      this.#freed(holder);
    });
  }
}

const emptyHolder = (instance: string, pid: number, order: number): Holder => ({
  instance,
  pid,
  order,
  gpuHolds: new Map(),
  hostBytes: new Map(),
  life: new AbortController(),
  freeing: null,
  compute: null,
  freeAtWallMs: null,
});

function heldBytes({ instance, pid, gpuHolds, hostBytes, freeAtWallMs }: Holder): HeldBytes {
  const gpus = [...gpuHolds].map(([key, { bytes, isParked, owner }]) => ({ ...gpuOf(key), bytes, isParked, ...owner }));
  return { instance, pid, gpus, hosts: [...hostBytes].map(([node, bytes]) => ({ node, bytes })), freeAtWallMs };
}
