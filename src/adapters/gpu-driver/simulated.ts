import type { GpuLost } from "../../api/fault.ts";
import type { GpuNode } from "../../api/gpu-node.ts";
import type { GpuPartition } from "../../api/gpu-partition.ts";
import { assert } from "../../base/assert.ts";
import type { NodeName } from "../../base/ids.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { isSameJson } from "../../base/same-json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { AccountError, GpuAccount } from "../../ports/gpu-account.ts";
import type { GpuDriver, GpuDriverError, ObservedGpu } from "../../ports/gpu-driver.ts";
import { AccountHolders, setOrDelete, type Holder } from "./account-holders.ts";
import { AccountInventory } from "./account-inventory.ts";
import type { AccountState } from "./account-state.ts";
import { capOfInstance } from "./cap-of-instance.ts";
import { cutObstacle, destroyObstacle } from "./cut-obstacle.ts";
import { createGpuLosses, gpuKey, gpuOf, type GpuLosses, type GpuPlace } from "./gpu-losses.ts";

/** A real driver gives a dead process's memory back about so long after its end. */
const TEARDOWN_MS = 100;
/** How long a restarted account keeps what a holder had, waiting for it to come back. */
const RETURN_MS = 5_000;

export interface AccountHolder {
  readonly instance: string;
  readonly pid: number;
  /** Started by a platform, for partitions of its own: where it has none it gets nothing. Others, started by hand, share what is free. */
  readonly isPromised?: boolean;
}

/** The simulated GPUs and host memory of all nodes: who holds what, and how fast bytes move. */
export interface SimulatedAccount {
  readonly driver: GpuDriver;
  /** The account as one process sees it. `close` = the process is dead. Opened again before its bytes are free, it has them still. */
  open(holder: AccountHolder): { readonly account: GpuAccount; close(): void };
  /** Falls off the bus, and comes back after `forMs` at the latest; a second loss replaces the first one's end. UNKNOWN_GPU where there is none. */
  loseGpus(loss: GpuLost, forMs: number): Result<null, AccountError>;
  /** Back, and empty. Idempotent. */
  restoreGpus(at: Pick<GpuLost, "node" | "gpu">): void;
  state(): AccountState;
  /** Of a fresh account: takes over what `state` gave before a restart. */
  restore(state: AccountState): void;
  /** Called after each change of `state`. */
  onChange(listener: () => void): void;
}

export function createSimulatedAccount(
  clock: Clock,
  { teardownMs = TEARDOWN_MS }: { readonly teardownMs?: number } = {},
): SimulatedAccount {
  const account = new Account(clock, teardownMs);
  return {
    driver: {
      observe: async () => ok(account.observe()),
      ensureInventory: async (nodes) => ok(account.ensureInventory(nodes)),
      ensurePartition: async (partition) => account.ensurePartition(partition),
      removePartition: async ({ name }) => account.removePartition(name),
    },
    open: (who) => account.open(who),
    loseGpus: (loss, forMs) => account.loseGpus(loss, forMs),
    restoreGpus: (at) => account.restoreGpus(at),
    state: () => account.state(),
    restore: (state) => account.restore(state),
    onChange: (listener) => void account.listeners.add(listener),
  };
}

class Account {
  readonly #losses: GpuLosses;
  readonly listeners = new Set<() => void>();
  readonly #clock: Clock;
  readonly #teardownMs: number;
  readonly #inventory: AccountInventory;
  readonly #partitions = new Map<string, GpuPartition>();
  readonly #holders: AccountHolders;
  /** What `observe` said last, until something changes. */
  #observed: readonly ObservedGpu[] | null = null;

  constructor(clock: Clock, teardownMs: number) {
    this.#clock = clock;
    this.#teardownMs = teardownMs;
    this.#inventory = new AccountInventory(clock);
    this.#holders = new AccountHolders(clock, () => this.#changed());
    this.#losses = createGpuLosses(clock, (at) => this.#cameBack(at));
  }

  open({ instance, pid, isPromised = false }: AccountHolder): { readonly account: GpuAccount; close(): void } {
    const holder = this.#holders.open(instance, pid);
    // A life of its own: the end of an older connection says nothing about a newer one.
    const life = new AbortController();
    holder.life = life;
    return {
      account: {
        holdGpu: async ({ node, gpu }, bytes) => (life.signal.aborted ? CLOSED : this.#holdGpu(holder, { node, gpu, bytes, isPromised })),
        holdHost: async (node, bytes) => (life.signal.aborted ? CLOSED : this.#holdHost(holder, node, bytes)),
        transfer: (over, bytes, signal) => this.#transfer(holder, { ...over, bytes }, AbortSignal.any([signal, life.signal])),
        watchLoss: (gpus, lost) => this.#losses.watch(gpus, lost),
      },
      close: () => {
        life.abort();
        if (holder.life === life) this.#holders.freeAfter(holder, this.#teardownMs);
      },
    };
  }

  observe(): readonly ObservedGpu[] {
    this.#observed ??= Object.freeze(
      this.#inventory.all().flatMap(({ spec }) =>
        spec.gpus.map((gpu) => ({
          node: spec.name,
          gpu: gpu.index,
          health: this.#isLost(spec.name, gpu.index) ? ("lost" as const) : ("ok" as const),
          memoryBytes: gpu.memoryBytes,
          holders: this.#holders.onGpu(spec.name, gpu.index),
        })),
      ),
    );
    return this.#observed;
  }

  /** A node that is no longer named stays, its GPUs lost, as long as a process holds something on it. */
  ensureInventory(nodes: readonly GpuNode[]): null {
    const named = new Set<string>(nodes.map((node) => node.name));
    let isChanged = false;
    for (const spec of nodes) isChanged = this.#inventory.ensure(spec) || isChanged;
    for (const node of this.#inventory.all()) {
      const isListed = named.has(node.spec.name);
      if (node.isListed !== isListed) this.#observed = null;
      node.isListed = isListed;
      if (isListed || this.#isHeld(node.spec)) continue;
      this.#removeNode(node.spec);
      isChanged = true;
    }
    if (isChanged) this.#changed();
    return null;
  }

  ensurePartition(partition: GpuPartition): Result<null, GpuDriverError> {
    const { node, gpu, name } = partition;
    if (this.#inventory.memoryOf(node, gpu) === null)
      return err({ code: "DRIVER_UNAVAILABLE", reason: `GPU ${node}/${gpu} is not in the inventory` });
    const model = this.#inventory.modelOf(node, gpu);
    const obstacle = cutObstacle(partition, { model, partitions: this.#partitionsOn(partition), holders: this.#holders.onGpu(node, gpu) });
    if (obstacle !== null) return err(obstacle);
    const isNew = !isSameJson(this.#partitions.get(name), partition);
    this.#partitions.set(name, partition);
    if (isNew) this.#changed();
    return ok(null);
  }

  removePartition(name: string): Result<null, GpuDriverError> {
    const known = this.#partitions.get(name);
    const obstacle = known === undefined ? null : destroyObstacle(known, this.#holders.onGpu(known.node, known.gpu));
    if (obstacle !== null) return err(obstacle);
    if (this.#partitions.delete(name)) this.#changed();
    return ok(null);
  }

  loseGpus({ node, gpu }: Pick<GpuLost, "node" | "gpu">, forMs: number): Result<null, AccountError> {
    const gpus = this.#inventory.gpusAt(node, gpu);
    if (gpus.length === 0) return err({ code: "UNKNOWN_GPU", node, gpu: gpu ?? 0 });
    this.#observed = null;
    for (const index of gpus) this.#losses.lose({ node, gpu: index }, forMs);
    this.#changed();
    return ok(null);
  }

  restoreGpus({ node, gpu }: Pick<GpuLost, "node" | "gpu">): void {
    for (const index of this.#inventory.gpusAt(node, gpu)) this.#losses.restore({ node, gpu: index });
  }

  state(): AccountState {
    return {
      lost: this.#losses.list(),
      nodes: this.#inventory.all().map(({ spec }) => spec),
      partitions: [...this.#partitions.values()],
      holders: this.#holders.state(),
    };
  }

  restore({ nodes, partitions, holders, lost }: AccountState): void {
    assert(this.#inventory.size === 0, "only a fresh account is restored");
    this.#observed = null;
    for (const node of nodes) this.#inventory.ensure(node);
    for (const { node, gpu, untilWallMs } of lost) this.#losses.lose({ node, gpu }, untilWallMs - this.#clock.wallMs());
    for (const partition of partitions) this.#partitions.set(partition.name, partition);
    this.#holders.restore(holders, RETURN_MS);
  }

  #holdGpu(holder: Holder, want: GpuPlace & { readonly bytes: number; readonly isPromised: boolean }): Result<null, AccountError> {
    const { node, gpu, bytes } = want;
    assert(Number.isSafeInteger(bytes) && bytes >= 0, "held bytes are whole and not negative");
    const memoryBytes = this.#inventory.memoryOf(node, gpu);
    if (memoryBytes === null) return err({ code: "UNKNOWN_GPU", node, gpu });
    const key = gpuKey(node, gpu);
    const heldNow = holder.gpuBytes.get(key) ?? 0;
    if (bytes > heldNow) {
      if (this.#isLost(node, gpu)) return err({ code: "GPU_LOST", node, gpu });
      const others = this.#holders.onGpu(node, gpu).filter(({ instance, pid }) => instance !== holder.instance || pid !== holder.pid);
      const otherBytes = others.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
      const freeBytes = Math.min(memoryBytes - otherBytes, capOfInstance(this.#partitions.values(), holder.instance, want));
      if (bytes > freeBytes)
        return err({ code: "NO_GPU_MEMORY", node, gpu, neededBytes: bytes, freeBytes, holders: others.map(withoutPid) });
    }
    setOrDelete(holder.gpuBytes, key, bytes);
    this.#changed();
    return ok(null);
  }

  #holdHost(holder: Holder, node: NodeName, bytes: number): Result<null, AccountError> {
    assert(Number.isSafeInteger(bytes) && bytes >= 0, "held bytes are whole and not negative");
    const freeBytes = this.#inventory.hostMemoryOf(node) - this.#holders.hostBytesOfOthers(node, holder);
    if (bytes > (holder.hostBytes.get(node) ?? 0) && bytes > freeBytes) {
      return err({ code: "NO_HOST_MEMORY", node, neededBytes: bytes, freeBytes });
    }
    setOrDelete(holder.hostBytes, node, bytes);
    this.#changed();
    return ok(null);
  }

  /** A loss of any GPU that the process holds breaks it off: weights go to all of them. */
  async #transfer(
    holder: Holder,
    { node: name, link, bytes }: Parameters<GpuAccount["transfer"]>[0] & { readonly bytes: number },
    signal: AbortSignal,
  ): Promise<Result<null, AccountError>> {
    const node = this.#inventory.node(name);
    if (node === null) return err({ code: "ACCOUNT_UNAVAILABLE", reason: `node ${name} is not in the inventory` });
    const held = [...holder.gpuBytes.keys()].map(gpuOf);
    const loss = new AbortController();
    let lostGpu: GpuPlace | null = null;
    const stop = this.#losses.watch(held, (at) => {
      lostGpu = at;
      loss.abort();
    });
    const isDone = await node.links[link].transfer(bytes, AbortSignal.any([signal, loss.signal]));
    stop();
    if (isDone) return ok(null);
    return lostGpu === null ? BROKEN_OFF : gpuLost(lostGpu);
  }

  #cameBack(at: GpuPlace): void {
    this.#holders.emptyGpu(at);
    this.#changed();
  }

  #removeNode({ name, gpus }: GpuNode): void {
    this.#inventory.remove(name);
    for (const gpu of gpus) this.#losses.restore({ node: name, gpu: gpu.index });
    for (const partition of this.#partitions.values()) if (partition.node === name) this.#partitions.delete(partition.name);
  }

  #isHeld({ name, gpus }: GpuNode): boolean {
    return this.#holders.isOnHost(name) || gpus.some((gpu) => this.#holders.onGpu(name, gpu.index).length > 0);
  }

  #partitionsOn({ node, gpu }: GpuPlace): readonly GpuPartition[] {
    return [...this.#partitions.values()].filter((partition) => partition.node === node && partition.gpu === gpu);
  }

  #isLost(node: NodeName, gpu: number): boolean {
    return this.#losses.has({ node, gpu }) || !this.#inventory.isListed(node);
  }

  #changed(): void {
    this.#observed = null;
    for (const listener of this.listeners) listener();
  }
}

const CLOSED: Result<null, AccountError> = err({ code: "ACCOUNT_UNAVAILABLE", reason: "the process is dead" });
const BROKEN_OFF: Result<null, AccountError> = err({ code: "ACCOUNT_UNAVAILABLE", reason: "the transfer was broken off" });
const gpuLost = (at: GpuPlace): Result<never, AccountError> => err({ code: "GPU_LOST", ...at });
const withoutPid = ({
  instance,
  usedBytes,
}: ObservedGpu["holders"][number]): { readonly instance: string; readonly usedBytes: number } => ({ instance, usedBytes });
