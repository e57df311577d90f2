import { MIG_SHAPES } from "../../api/mig-geometry.ts";
import { formatPlacement, type MigPlacement } from "../../api/mig-layout.ts";
import { assert } from "../../base/assert.ts";
import type { MonotonicMs, NodeName, TenantId } from "../../base/ids.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ObservedGpu } from "../../ports/gpu-driver.ts";
import type { DirtyBytes } from "./account-state.ts";
import { gpuKey, gpuOf, type GpuPlace } from "./gpu-losses.ts";

/** Whose bytes are, and where on the GPU. */
export interface MemoryOwner {
  /** null = a process that was started by hand: the machine's own. */
  readonly tenant: TenantId | null;
  /** The MIG instance that they are in; null = anywhere on the GPU. */
  readonly mig: MigPlacement | null;
}

export interface ScrubPace {
  readonly scrubBytesPerSecond: number;
  /** Bytes that nobody took again for so long are scrubbed in the background. */
  readonly scrubAfterMs: number;
}

/**
 * A scrub writes each byte once. The slowest card of the list, an L4, takes about 300 GB/s by its data sheet and a large one ten times that:
 * nobody waits longer for a real scrub than for this one.
 * A tenant's own restart comes back for its bytes in well under 5 s; to have scrubbed them then would have been for nothing, yet who comes later
 * finds them clean.
 */
export const SCRUB_PACE: ScrubPace = { scrubBytesPerSecond: 300_000_000_000, scrubAfterMs: 5_000 };

interface Entry {
  readonly owner: MemoryOwner;
  bytes: number;
  /** The scrub may begin. */
  dueMs: number;
}

interface GpuDirt {
  readonly at: GpuPlace;
  readonly entries: Map<string, Entry>;
  /** What was scrubbed until then is counted. */
  settledMs: MonotonicMs;
  isStopped: boolean;
  scrubbedBytes: number;
  waitCount: number;
  waitedMs: number;
}

/**
 * Free bytes that still hold what somebody left there. Each GPU scrubs one thing after another; how far it is follows from the time alone,
 * so that a background scrub costs no timer. Which bytes of a GPU or of a MIG instance they are is not modelled: a process gets those of
 * its own tenant first, then clean ones, and never another's. In a MIG instance it has no choice of place: what others left in its slices is
 * scrubbed before its first byte.
 */
export class DirtyMemory {
  readonly #clock: Clock;
  readonly #pace: ScrubPace;
  readonly #gpus = new Map<string, GpuDirt>();

  constructor(clock: Clock, pace: ScrubPace) {
    this.#clock = clock;
    this.#pace = pace;
  }

  /** Bytes that a process of that owner had, and has no more. */
  leave(at: GpuPlace, owner: MemoryOwner, bytes: number): void {
    if (bytes === 0) return;
    const gpu = this.#settled(at);
    const dueMs = this.#clock.monotonicMs() + this.#pace.scrubAfterMs;
    const known = gpu.entries.get(keyOf(owner));
    gpu.entries.set(keyOf(owner), { owner, bytes: bytes + (known?.bytes ?? 0), dueMs });
  }

  /**
   * How many bytes must be scrubbed before the owner may have `bytes` more.
   * @param freeBytes held by nobody, clean and dirty ones.
   */
  missingBytes(at: GpuPlace, owner: MemoryOwner, { bytes, freeBytes }: { readonly bytes: number; readonly freeBytes: number }): number {
    const { entries } = this.#settled(at);
    let ownBytes = 0;
    let inTheWayBytes = 0;
    for (const { owner: left, bytes: leftBytes } of entries.values()) {
      if (!isReachable(owner, left)) continue;
      if (left.tenant === owner.tenant) ownBytes += leftBytes;
      else if (owner.mig !== null) inTheWayBytes += leftBytes;
    }
    return bytes === 0 ? 0 : Math.max(inTheWayBytes, bytes - ownBytes - cleanOf(entries, freeBytes), 0);
  }

  /** The owner gets `bytes` more: its own dirty ones, then clean ones. */
  take(at: GpuPlace, owner: MemoryOwner, room: { readonly bytes: number; readonly freeBytes: number }): void {
    assert(this.missingBytes(at, owner, room) === 0, "nobody gets memory that another one left dirty");
    const { entries } = this.#settled(at);
    let moreBytes = room.bytes;
    for (const [key, entry] of Array.from(entries)) {
      if (entry.owner.tenant !== owner.tenant || !isReachable(owner, entry.owner)) continue;
      const takenBytes = Math.min(entry.bytes, moreBytes);
      entry.bytes -= takenBytes;
      moreBytes -= takenBytes;
      if (entry.bytes === 0) entries.delete(key);
    }
  }

  /** Scrubs what is not the owner's at once. @returns how long `bytes` of it take. */
  hurry(at: GpuPlace, owner: MemoryOwner, bytes: number): number {
    const gpu = this.#settled(at);
    const nowMs = this.#clock.monotonicMs();
    for (const entry of gpu.entries.values()) {
      if (entry.owner.tenant === owner.tenant) entry.dueMs = Math.max(entry.dueMs, nowMs + this.#pace.scrubAfterMs);
      else entry.dueMs = Math.min(entry.dueMs, nowMs);
    }
    return Math.max(1, Math.ceil((bytes * 1_000) / this.#pace.scrubBytesPerSecond));
  }

  waited(at: GpuPlace, ms: number): void {
    const gpu = this.#settled(at);
    gpu.waitCount += 1;
    gpu.waitedMs += ms;
  }

  /** Nothing can be written to a GPU that is lost. */
  stop(at: GpuPlace): void {
    this.#settled(at).isStopped = true;
  }
  goOn(at: GpuPlace): void {
    this.#settled(at).isStopped = false;
  }

  on(node: NodeName, gpu: number): Pick<ObservedGpu, "dirty" | "scrub"> {
    const { entries, scrubbedBytes, waitCount, waitedMs } = this.#settled({ node, gpu });
    return {
      dirty: [...entries.values()].map(({ owner, bytes }) => ({ ...owner, bytes })),
      scrub: { scrubbedBytes, waitCount, waitedMs },
    };
  }

  /** Whether what `on` says there becomes another with the time alone: something is due to be scrubbed. */
  isChanging(node: NodeName, gpu: number): boolean {
    const known = this.#gpus.get(gpuKey(node, gpu));
    if (known === undefined || known.isStopped) return false;
    const nowMs = this.#clock.monotonicMs();
    for (const { dueMs } of known.entries.values()) if (dueMs <= nowMs) return true;
    return false;
  }

  state(): readonly DirtyBytes[] {
    return [...this.#gpus].flatMap(([key, { at }]) => {
      const { entries } = this.#settled(at);
      return [...entries.values()].map(({ owner, bytes }) => ({ ...gpuOf(key), ...owner, bytes }));
    });
  }

  /** What was begun is begun again: how far it was nobody knows. */
  restore(dirty: readonly DirtyBytes[]): void {
    for (const { node, gpu, tenant, mig, bytes } of dirty) this.leave({ node, gpu }, { tenant, mig }, bytes);
  }

  #settled(at: GpuPlace): GpuDirt {
    const key = gpuKey(at.node, at.gpu);
    const gpu = this.#gpus.get(key) ?? untouched(at, this.#clock.monotonicMs());
    this.#gpus.set(key, gpu);
    this.#settle(gpu, this.#clock.monotonicMs());
    return gpu;
  }

  #settle(gpu: GpuDirt, nowMs: MonotonicMs): void {
    let freeMs: number = gpu.isStopped ? nowMs : gpu.settledMs;
    gpu.settledMs = nowMs;
    for (const [key, entry] of [...gpu.entries].toSorted(([, one], [, other]) => one.dueMs - other.dueMs)) {
      const startMs = Math.max(freeMs, entry.dueMs);
      if (startMs >= nowMs) break;
      const doneBytes = Math.min(entry.bytes, Math.floor(((nowMs - startMs) * this.#pace.scrubBytesPerSecond) / 1_000));
      entry.bytes -= doneBytes;
      gpu.scrubbedBytes += doneBytes;
      if (entry.bytes > 0) break;
      gpu.entries.delete(key);
      freeMs = startMs + (doneBytes * 1_000) / this.#pace.scrubBytesPerSecond;
    }
  }
}

const keyOf = ({ tenant, mig }: MemoryOwner): string => `${tenant ?? ""} ${mig === null ? "" : formatPlacement(mig)}`;

/** Whether a process of `owner` may come upon what was left there. Nobody knows where bytes lie that were left outside any MIG instance. */
function isReachable({ mig }: MemoryOwner, left: MemoryOwner): boolean {
  if (mig === null || left.mig === null) return true;
  return mig.start < endOf(left.mig) && left.mig.start < endOf(mig);
}
const endOf = ({ profile, start }: MigPlacement): number => start + MIG_SHAPES[profile].memorySlices;
const cleanOf = (entries: GpuDirt["entries"], freeBytes: number): number =>
  Math.max(0, freeBytes - [...entries.values()].reduce((sum, { bytes }) => sum + bytes, 0));
const untouched = ({ node, gpu }: GpuPlace, nowMs: MonotonicMs): GpuDirt => ({
  at: { node, gpu },
  entries: new Map(),
  settledMs: nowMs,
  isStopped: false,
  scrubbedBytes: 0,
  waitCount: 0,
  waitedMs: 0,
});
