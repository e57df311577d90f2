import { isGpuLostMode, type GpuApplicationMode } from "../../api/fault.ts";
import { err, type Result } from "../../base/result.ts";
import type { AccountError, GpuEnd } from "../../ports/gpu-account.ts";
import type { Holder } from "./account-holders.ts";
import type { GpuLosses, GpuPlace } from "./gpu-losses.ts";

/** As a process is answered that asks for more of it. */
export const accountErrorOf = ({ node, gpu, mode }: GpuEnd): Result<never, AccountError> =>
  isGpuLostMode(mode) ? err({ code: "GPU_LOST", node, gpu, mode }) : err({ code: "GPU_FAULT", node, gpu, mode });

interface Watch {
  readonly gpus: readonly GpuPlace[];
  readonly ended: (end: GpuEnd) => void;
}

/** Which process must hear that a GPU is of no more use to it: by a loss, as everybody there, or by a fault that hits it. */
export class ProcessWatches {
  readonly #losses: GpuLosses;
  readonly #watches = new Map<Holder, Set<Watch>>();

  constructor(losses: GpuLosses) {
    this.#losses = losses;
  }

  /** Calls `ended` once, later than this call. @returns an end of the watch. */
  watch(holder: Holder, gpus: readonly GpuPlace[], ended: (end: GpuEnd) => void): () => void {
    const own = this.#watches.get(holder) ?? new Set<Watch>();
    this.#watches.set(holder, own);
    const once = (end: GpuEnd): void => {
      stop();
      ended(end);
    };
    const watch = { gpus, ended: once };
    const stopLoss = this.#losses.watch(gpus, once);
    const stop = (): void => {
      stopLoss();
      own.delete(watch);
      if (own.size === 0 && this.#watches.get(holder) === own) this.#watches.delete(holder);
    };
    own.add(watch);
    return stop;
  }

  /** A fault hits what that process does there. */
  hit(holder: Holder, { node, gpu }: GpuPlace, mode: GpuApplicationMode): void {
    for (const watch of Array.from(this.#watches.get(holder) ?? [])) {
      if (watch.gpus.some((at) => at.node === node && at.gpu === gpu)) watch.ended({ node, gpu, mode });
    }
  }
}
