import { enginesHit } from "../../api/engines-hit.ts";
import { GPU_LOST_MODES, type GpuApplicationFault, type GpuLost, type GpuLostMode, type SlowTeardown } from "../../api/fault.ts";
import type { GpuNode } from "../../api/gpu-node.ts";
import type { GpuPartition } from "../../api/gpu-partition.ts";
import { assert } from "../../base/assert.ts";
import type { NodeName } from "../../base/ids.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { isSameJson } from "../../base/same-json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { AccountError, GpuAccount, GpuEnd } from "../../ports/gpu-account.ts";
import type { GpuDriver, GpuDriverError, ObservedGpu } from "../../ports/gpu-driver.ts";
import { AccountHolders, type Holder } from "./account-holders.ts";
import { AccountInventory } from "./account-inventory.ts";
import type { AccountState } from "./account-state.ts";
import { cutObstacle, destroyObstacle } from "./cut-obstacle.ts";
import { createComputeAccount, NO_SLOWDOWNS, type ComputeAccount, type ComputeSlowdowns } from "./compute-account.ts";
import { DirtyMemory, SCRUB_PACE, type ScrubPace } from "./dirty-memory.ts";
import { GpuHolds } from "./gpu-holds.ts";
import { createGpuLosses, gpuKey, gpuOf, type GpuLosses, type GpuPlace } from "./gpu-losses.ts";
import { createPartitionShelf } from "./partition-shelf.ts";
import { accountErrorOf, ProcessWatches } from "./process-watches.ts";
import { ObservedFleet } from "./observed-fleet.ts";
import { SlowTeardowns } from "./slow-teardowns.ts";

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
  /** Of use to nobody, and back after `forMs` at the latest; a second loss replaces the first one's end. UNKNOWN_GPU where there is none. */
  loseGpus(loss: GpuLost, forMs: number): Result<null, AccountError>;
  /** Ends those whom it hits; the GPU goes on. @returns the instances; none where the victim holds nothing there. */
  failApplication(fault: GpuApplicationFault): Result<readonly string[], AccountError>;
  /** Whoever dies there within `forMs` keeps its bytes for so long. */
  slowTeardown(fault: SlowTeardown, forMs: number): Result<null, AccountError>;
  /** Back and empty, as after a reset; its teardown is quick again. Idempotent. */
  restoreGpus(at: Pick<GpuLost, "node" | "gpu">): void;
  state(): AccountState;
  /** Of a fresh account: takes over what `state` gave before a restart. */
  restore(state: AccountState): void;
  /** Called after each change of `state`. */
  onChange(listener: () => void): void;
}

interface AccountOptions {
  readonly teardownMs: number;
  readonly pace: ScrubPace;
  /** How those that share a GPU slow each other down. */
  readonly slowdowns: ComputeSlowdowns;
}

export function createSimulatedAccount(
  clock: Clock,
  { teardownMs = TEARDOWN_MS, pace = SCRUB_PACE, slowdowns = NO_SLOWDOWNS }: Partial<AccountOptions> = {},
): SimulatedAccount {
  const account = new Account(clock, { teardownMs, pace, slowdowns });
  return {
    driver: {
      observe: async (only) => ok(account.observe(only)),
      ensureInventory: async (nodes) => ok(account.ensureInventory(nodes)),
      ensurePartition: async (partition) => account.ensurePartition(partition),
      removePartition: async ({ name }) => account.removePartition(name),
    },
    open: (who) => account.open(who),
    loseGpus: (loss, forMs) => account.loseGpus(loss, forMs),
    failApplication: (fault) => account.failApplication(fault),
    slowTeardown: (fault, forMs) => account.slowTeardown(fault, forMs),
    restoreGpus: (at) => account.restoreGpus(at),
    state: () => account.state(),
    restore: (state) => account.restore(state),
    onChange: (listener) => void account.listeners.add(listener),
  };
}

class Account {
  readonly #losses: GpuLosses;
  readonly #watches: ProcessWatches;
  readonly #slow: SlowTeardowns;
  readonly #dirt: DirtyMemory;
  readonly #holds: GpuHolds;
  readonly listeners = new Set<() => void>();
  readonly #clock: Clock;
  readonly #teardownMs: number;
  readonly #inventory: AccountInventory;
  readonly #partitions = createPartitionShelf((at) => this.#compute.partitionChanged(at));
  readonly #holders: AccountHolders;
  readonly #observed: ObservedFleet;

  readonly #compute: ComputeAccount;

  constructor(clock: Clock, { teardownMs, pace, slowdowns }: AccountOptions) {
    this.#clock = clock;
    this.#compute = createComputeAccount({
      clock,
      slowdowns,
      cutOf: (instance, place) => this.#partitions.at(instance, place),
      changed: (keys) => keys.forEach((key) => this.#observed.touch(gpuOf(key).node)),
    });
    this.#teardownMs = teardownMs;
    this.#inventory = new AccountInventory(clock);
    this.#observed = new ObservedFleet(
      () => this.#inventory.all().map(({ spec }) => spec.name),
      (node) => this.#lookAt(node),
      (node, gpu) => this.#dirt.isChanging(node, gpu),
    );
    this.#holders = new AccountHolders(clock, (holder) => this.#freed(holder));
    this.#losses = createGpuLosses(clock, (at) => this.#cameBack(at));
    this.#watches = new ProcessWatches(this.#losses);
    this.#slow = new SlowTeardowns(clock);
    this.#dirt = new DirtyMemory(clock, pace);
    this.#holds = new GpuHolds({
      clock,
      dirt: this.#dirt,
      holders: this.#holders,
      inventory: this.#inventory,
      partitions: this.#partitions,
      lostModeOf: (node, gpu) => this.#lostModeOf(node, gpu),
      changed: (node) => this.#changed(node),
    });
  }

  open({ instance, pid, isPromised = false }: AccountHolder): { readonly account: GpuAccount; close(): void } {
    const holder = this.#holders.open(instance, pid);
    // A life of its own: the end of an older connection says nothing about a newer one.
    const life = new AbortController();
    holder.life = life;
    return {
      account: {
        holdGpu: ({ node, gpu }, bytes, residence = "awake") =>
          this.#holds.set(holder, { node, gpu, bytes, isPromised, isParked: residence === "parked" }, life.signal),
        holdHost: async (node, bytes) => (life.signal.aborted ? CLOSED : this.#holdHost(holder, node, bytes)),
        transfer: (over, bytes, signal) => this.#transfer(holder, { ...over, bytes }, AbortSignal.any([signal, life.signal])),
        grabGpu: ({ node, gpu }, bytes) =>
          this.#holds.set(holder, { node, gpu, bytes, isPromised, isParked: false, isGrab: true }, life.signal),
        watchLoss: (gpus, lost) => this.#watches.watch(holder, gpus, lost),
        shareCompute: (gpus, told) => {
          holder.compute?.stop();
          const own = this.#compute.join(holder.instance, gpus, told);
          holder.compute = own;
          return own;
        },
      },
      close: () => {
        life.abort();
        if (holder.life !== life) return;
        // What a dead process had on the card stops at once.
        holder.compute?.stop();
        this.#holders.die(holder, this.#slow.teardownMs(holder.gpuHolds.keys(), this.#teardownMs));
        this.#changed(...nodesOf(holder));
      },
    };
  }

  observe(only?: readonly GpuPlace[]): readonly ObservedGpu[] {
    if (only === undefined) return this.#observed.show();
    return this.#observed.pick(only, ({ node, gpu }) => this.#lookAt(node, gpu)[0] ?? null);
  }

  #lookAt(node: NodeName, only: number | null = null): readonly ObservedGpu[] {
    const gpus = (this.#inventory.node(node)?.spec.gpus ?? []).filter(({ index }) => only === null || index === only);
    return gpus.map(({ index, memoryBytes }) => ({
      node,
      gpu: index,
      health: this.#healthOf(node, index),
      memoryBytes,
      holders: this.#holders.onGpu(node, index),
      ...this.#dirt.on(node, index),
    }));
  }

  /** A node that is no longer named stays, its GPUs lost, as long as a process holds something on it. */
  ensureInventory(nodes: readonly GpuNode[]): null {
    const named = new Set<string>(nodes.map((node) => node.name));
    let isChanged = false;
    for (const spec of nodes) isChanged = this.#inventory.ensure(spec) || isChanged;
    for (const node of this.#inventory.all()) {
      const isListed = named.has(node.spec.name);
      if (node.isListed !== isListed) this.#observed.touch(node.spec.name);
      node.isListed = isListed;
      if (isListed || this.#isHeld(node.spec)) continue;
      this.#removeNode(node.spec);
      isChanged = true;
    }
    if (isChanged) this.#observed.touch(null);
    if (isChanged) this.#changed();
    return null;
  }

  ensurePartition(partition: GpuPartition): Result<null, GpuDriverError> {
    const { node, gpu, name } = partition;
    if (this.#inventory.memoryOf(node, gpu) === null)
      return err({ code: "DRIVER_UNAVAILABLE", reason: `GPU ${node}/${gpu} is not in the inventory` });
    if (isSameJson(this.#partitions.get(name), partition)) return ok(null);
    const model = this.#inventory.modelOf(node, gpu);
    const obstacle = cutObstacle(partition, {
      model,
      partitions: [...this.#partitions.on(partition)],
      holders: this.#holders.onGpu(node, gpu),
    });
    if (obstacle !== null) return err(obstacle);
    this.#partitions.set(partition);
    this.#changed();
    return ok(null);
  }

  removePartition(name: string): Result<null, GpuDriverError> {
    const known = this.#partitions.get(name);
    // Of a card that is lost nothing is left to be in use.
    const isThere = known !== undefined && this.#healthOf(known.node, known.gpu) === "ok";
    const obstacle = isThere ? destroyObstacle(known, this.#holders.onGpu(known.node, known.gpu)) : null;
    if (obstacle !== null) return err(obstacle);
    if (this.#partitions.delete(name)) this.#changed();
    return ok(null);
  }

  loseGpus({ node, gpu, mode }: GpuLost, forMs: number): Result<null, AccountError> {
    const gpus = this.#inventory.gpusAt(node, gpu);
    if (gpus.length === 0) return err({ code: "UNKNOWN_GPU", node, gpu: gpu ?? 0 });
    for (const index of gpus) this.#lose({ node, gpu: index }, mode, forMs);
    this.#changed(node);
    return ok(null);
  }

  failApplication({ node, gpu, mode, instance }: GpuApplicationFault): Result<readonly string[], AccountError> {
    if (this.#inventory.memoryOf(node, gpu) === null) return err({ code: "UNKNOWN_GPU", node, gpu });
    const living = this.#holders.all().filter(({ gpuHolds, freeAtWallMs }) => gpuHolds.has(gpuKey(node, gpu)) && freeAtWallMs === null);
    const clients = living.map((holder) => ({
      instance: holder.instance,
      mode: this.#holds.partitionOf(holder.instance, { node, gpu })?.mode ?? null,
    }));
    const hit = new Set(enginesHit(mode, clients, instance));
    for (const holder of living) if (hit.has(holder.instance)) this.#watches.hit(holder, { node, gpu }, mode);
    return ok([...hit]);
  }

  slowTeardown({ node, gpu, teardownMs }: SlowTeardown, forMs: number): Result<null, AccountError> {
    const gpus = this.#inventory.gpusAt(node, gpu);
    if (gpus.length === 0) return err({ code: "UNKNOWN_GPU", node, gpu: gpu ?? 0 });
    for (const index of gpus) this.#slow.begin({ node, gpu: index, teardownMs }, forMs);
    this.#changed();
    return ok(null);
  }

  restoreGpus({ node, gpu }: Pick<GpuLost, "node" | "gpu">): void {
    for (const index of this.#inventory.gpusAt(node, gpu)) {
      this.#slow.end({ node, gpu: index });
      this.#losses.restore({ node, gpu: index });
    }
  }

  state(): AccountState {
    return {
      lost: this.#losses.list(),
      slow: this.#slow.list(),
      dirty: this.#dirt.state(),
      nodes: this.#inventory.all().map(({ spec }) => spec),
      partitions: [...this.#partitions.values()],
      holders: this.#holders.state(),
    };
  }

  restore({ nodes, partitions, holders, lost, slow, dirty }: AccountState): void {
    assert(this.#inventory.size === 0, "only a fresh account is restored");
    this.#observed.touch(null);
    for (const node of nodes) this.#inventory.ensure(node);
    this.#dirt.restore(dirty);
    this.#slow.restore(slow);
    for (const { node, gpu, mode, untilWallMs } of lost) this.#lose({ node, gpu }, mode, untilWallMs - this.#clock.wallMs());
    for (const partition of partitions) this.#partitions.set(partition);
    this.#holders.restore(holders, RETURN_MS);
  }

  #holdHost(holder: Holder, node: NodeName, bytes: number): Result<null, AccountError> {
    assert(Number.isSafeInteger(bytes) && bytes >= 0, "held bytes are whole and not negative");
    const freeBytes = this.#inventory.hostMemoryOf(node) - this.#holders.hostBytesOfOthers(node, holder);
    if (bytes > (holder.hostBytes.get(node) ?? 0) && bytes > freeBytes) {
      return err({ code: "NO_HOST_MEMORY", node, neededBytes: bytes, freeBytes });
    }
    if (bytes === 0) holder.hostBytes.delete(node);
    else holder.hostBytes.set(node, bytes);
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
    const held = [...holder.gpuHolds.keys()].map(gpuOf);
    const loss = new AbortController();
    let ended: GpuEnd | null = null;
    const stop = this.#watches.watch(holder, held, (end) => {
      ended = end;
      loss.abort();
    });
    const isDone = await node.links[link].transfer(bytes, AbortSignal.any([signal, loss.signal]));
    stop();
    if (isDone) return ok(null);
    return ended === null ? BROKEN_OFF : accountErrorOf(ended);
  }

  #lose(at: GpuPlace, mode: GpuLostMode, forMs: number): void {
    this.#dirt.stop(at);
    this.#losses.lose(at, mode, forMs);
  }

  /** Memory keeps its bytes over a reset, for all that we know: they are dirty. */
  #cameBack(at: GpuPlace): void {
    this.#dirt.goOn(at);
    for (const { owner, bytes } of this.#holders.emptyGpu(at)) this.#dirt.leave(at, owner, bytes);
    this.#changed(at.node);
  }

  #freed(holder: Holder): void {
    for (const [key, { owner, bytes }] of holder.gpuHolds) this.#dirt.leave(gpuOf(key), owner, bytes);
    this.#changed(...nodesOf(holder));
  }

  #removeNode({ name, gpus }: GpuNode): void {
    this.#inventory.remove(name);
    for (const gpu of gpus) this.#losses.restore({ node: name, gpu: gpu.index });
    for (const partition of this.#partitions.values()) if (partition.node === name) this.#partitions.delete(partition.name);
  }

  #isHeld({ name, gpus }: GpuNode): boolean {
    return this.#holders.isOnHost(name) || gpus.some((gpu) => this.#holders.onGpu(name, gpu.index).length > 0);
  }

  #lostModeOf(node: NodeName, gpu: number): GpuLostMode | null {
    return this.#losses.modeOf({ node, gpu }) ?? (this.#inventory.isListed(node) ? null : "lost");
  }

  #healthOf(node: NodeName, gpu: number): ObservedGpu["health"] {
    const mode = this.#lostModeOf(node, gpu);
    return mode === null ? "ok" : GPU_LOST_MODES[mode].health;
  }

  /** @param nodes of which something else is shown now. */
  #changed(...nodes: readonly NodeName[]): void {
    for (const node of nodes) this.#observed.touch(node);
    for (const listener of this.listeners) listener();
  }
}

const nodesOf = ({ gpuHolds }: Holder): readonly NodeName[] => [...gpuHolds.keys()].map((key) => gpuOf(key).node);

const CLOSED: Result<null, AccountError> = err({ code: "ACCOUNT_UNAVAILABLE", reason: "the process is dead" });
const BROKEN_OFF: Result<null, AccountError> = err({ code: "ACCOUNT_UNAVAILABLE", reason: "the transfer was broken off" });
