import type { GpuLostMode } from "../../api/fault.ts";
import type { GpuPartition } from "../../api/gpu-partition.ts";
import { assert } from "../../base/assert.ts";
import type { NodeName } from "../../base/ids.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { AccountError } from "../../ports/gpu-account.ts";
import type { GpuHolder } from "../../ports/gpu-driver.ts";
import type { AccountHolders, Holder } from "./account-holders.ts";
import type { AccountInventory } from "./account-inventory.ts";
import { capOfInstance } from "./cap-of-instance.ts";
import type { DirtyMemory, MemoryOwner } from "./dirty-memory.ts";
import { gpuKey, type GpuPlace } from "./gpu-losses.ts";
import type { PartitionShelf } from "./partition-shelf.ts";

/** Others may take what was scrubbed for one; by then all of the GPU has been scrubbed many times over. */
const SCRUB_LOOKS_MAX = 100;

interface Want extends GpuPlace {
  /** In all. */
  readonly bytes: number;
  readonly isPromised: boolean;
  readonly isParked: boolean;
  /** Past the limit that nothing outside the process keeps. */
  readonly isGrab?: boolean;
}

interface Parts {
  readonly clock: Clock;
  readonly dirt: DirtyMemory;
  readonly holders: AccountHolders;
  readonly inventory: AccountInventory;
  readonly partitions: Pick<PartitionShelf, "on" | "at">;
  /** null = it can be used. */
  readonly lostModeOf: (node: NodeName, gpu: number) => GpuLostMode | null;
  readonly changed: (node: NodeName) => void;
}

/** Who gets how much of a GPU, and when: what is free, promised to nobody else, and clean. */
export class GpuHolds {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Sets what a process holds there. @param life aborted when the process is dead. */
  async set(holder: Holder, want: Want, life: AbortSignal): Promise<Result<null, AccountError>> {
    const { bytes } = want;
    assert(Number.isSafeInteger(bytes) && bytes >= 0, "held bytes are whole and not negative");
    let waitedMs = 0;
    for (let looks = 0; looks < SCRUB_LOOKS_MAX; looks += 1) {
      // From here to the hold in one turn: nothing may come between.
      const refused = life.aborted ? CLOSED : this.#refusalOf(holder, want);
      if (refused !== null) return refused;
      const missingBytes = this.#missingBytes(holder, want);
      if (missingBytes === 0) {
        if (waitedMs > 0) this.#parts.dirt.waited(want, waitedMs);
        this.#setHold(holder, want);
        return ok(null);
      }
      const waitMs = this.#parts.dirt.hurry(want, this.#ownerOf(holder, want), missingBytes);
      this.#parts.changed(want.node);
      await this.#parts.clock.sleep(waitMs, life);
      waitedMs += waitMs;
    }
    return err({ code: "ACCOUNT_UNAVAILABLE", reason: "others took all that was scrubbed, again and again" });
  }

  /** null = there is room, if not clean. */
  #refusalOf(holder: Holder, want: Want): Result<null, AccountError> | null {
    const { node, gpu, bytes } = want;
    const memoryBytes = this.#parts.inventory.memoryOf(node, gpu);
    if (memoryBytes === null) return err({ code: "UNKNOWN_GPU", node, gpu });
    if (bytes <= heldBytes(holder, want)) return null;
    const mode = this.#parts.lostModeOf(node, gpu);
    if (mode !== null) return err({ code: "GPU_LOST", node, gpu, mode });
    const others = this.#parts.holders.onGpu(node, gpu).filter(({ instance, pid }) => instance !== holder.instance || pid !== holder.pid);
    const otherBytes = others.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
    const freeBytes = Math.min(memoryBytes - otherBytes, capOfInstance(this.#parts.partitions.on(want), holder.instance, want));
    if (bytes <= freeBytes) return null;
    return err({ code: "NO_GPU_MEMORY", node, gpu, neededBytes: bytes, freeBytes, holders: others.map(withoutPid) });
  }

  #missingBytes(holder: Holder, want: Want): number {
    const more = want.bytes - heldBytes(holder, want);
    return more <= 0
      ? 0
      : this.#parts.dirt.missingBytes(want, this.#ownerOf(holder, want), { bytes: more, freeBytes: this.#freeBytes(want) });
  }

  #setHold(holder: Holder, { node, gpu, bytes, isParked }: Want): void {
    const at = { node, gpu };
    const owner = this.#ownerOf(holder, at);
    const more = bytes - heldBytes(holder, at);
    if (more > 0) this.#parts.dirt.take(at, owner, { bytes: more, freeBytes: this.#freeBytes(at) });
    else this.#parts.dirt.leave(at, owner, -more);
    this.#parts.holders.setHold(holder, at, bytes === 0 ? null : { bytes, isParked, owner });
    this.#parts.changed(node);
  }

  #freeBytes({ node, gpu }: GpuPlace): number {
    return (this.#parts.inventory.memoryOf(node, gpu) ?? 0) - this.#parts.holders.bytesOnGpu(node, gpu);
  }

  /** Whoever it was when the process took its first byte there. */
  #ownerOf(holder: Holder, at: GpuPlace): MemoryOwner {
    const partition = this.partitionOf(holder.instance, at);
    const asked = { tenant: partition?.tenant ?? null, mig: partition?.mig ?? null };
    return holder.gpuHolds.get(gpuKey(at.node, at.gpu))?.owner ?? asked;
  }

  partitionOf(instance: string, place: GpuPlace): GpuPartition | null {
    return this.#parts.partitions.at(instance, place);
  }
}

const CLOSED: Result<null, AccountError> = err({ code: "ACCOUNT_UNAVAILABLE", reason: "the process is dead" });
const heldBytes = (holder: Holder, { node, gpu }: GpuPlace): number => holder.gpuHolds.get(gpuKey(node, gpu))?.bytes ?? 0;
const withoutPid = ({ instance, usedBytes }: GpuHolder): { readonly instance: string; readonly usedBytes: number } => ({
  instance,
  usedBytes,
});
