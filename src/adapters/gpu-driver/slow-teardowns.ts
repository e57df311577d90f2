import type { SlowTeardown } from "../../api/fault.ts";
import { wallMs } from "../../base/ids.ts";
import type { Clock } from "../../ports/clock.ts";
import type { SlowGpu } from "./account-state.ts";
import { gpuKey, type GpuPlace } from "./gpu-losses.ts";

/** GPUs whose driver is slow to tear down dead processes. Each is quick again at its wall time; what died before keeps its delay. */
export class SlowTeardowns {
  readonly #clock: Clock;
  readonly #slow = new Map<string, SlowGpu>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A later one replaces an earlier one. */
  begin({ node, gpu, teardownMs }: GpuPlace & Pick<SlowTeardown, "teardownMs">, forMs: number): void {
    this.#slow.set(gpuKey(node, gpu), { node, gpu, teardownMs, untilWallMs: wallMs(Math.ceil(this.#clock.wallMs() + Math.max(0, forMs))) });
  }

  end({ node, gpu }: GpuPlace): void {
    this.#slow.delete(gpuKey(node, gpu));
  }

  /** The longest over these GPUs; at least `usualMs`. */
  teardownMs(gpuKeys: Iterable<string>, usualMs: number): number {
    let longestMs = usualMs;
    for (const key of gpuKeys) {
      const slow = this.#slow.get(key);
      if (slow !== undefined && slow.untilWallMs > this.#clock.wallMs()) longestMs = Math.max(longestMs, slow.teardownMs);
    }
    return longestMs;
  }

  list(): readonly SlowGpu[] {
    return [...this.#slow.values()].filter(({ untilWallMs }) => untilWallMs > this.#clock.wallMs());
  }

  restore(slow: readonly SlowGpu[]): void {
    for (const one of slow) this.#slow.set(gpuKey(one.node, one.gpu), one);
  }
}
