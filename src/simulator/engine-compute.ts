import type { MonotonicMs } from "../base/ids.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { ComputeShare, ComputeTerms, GpuAccount } from "../ports/gpu-account.ts";
import type { EngineOptions } from "./engine-options.ts";

/** One engine's part in the compute of its GPUs: how much slower its steps are for it, and what it tells of its own use. */
export interface EngineCompute {
  /** How many times as long a step takes now. */
  readonly slowdown: number;
  join(): void;
  /** A step begins. */
  began(): void;
  /** A step that takes so long on the card alone ended. */
  stepped(aloneMs: number): void;
  /** Nothing runs on the card any more. */
  rested(): void;
  /** Whether it takes its share or all that it can get was changed from outside. */
  refresh(): void;
  stop(): void;
}

export interface ComputeParts {
  readonly clock: Clock;
  readonly account: GpuAccount | null;
  readonly options: Pick<EngineOptions, "gpus" | "demandRatio">;
  /** It takes what it wants, where the hardware lets it. */
  readonly ignoresShare: () => boolean;
  /** Called when `slowdown` changed: it counts for the step in flight, too. */
  readonly repaced: (ratio: number) => void;
}

/** While it works it tells its use so often, and never by the token. */
const TELL_EACH_MS = 250;
/** Between two answers it is busy still: neighbours are not told of pauses that short. */
const REST_AFTER_MS = 50;

export function createEngineCompute(parts: ComputeParts): EngineCompute {
  return new Compute(parts);
}

class Compute implements EngineCompute {
  slowdown = 1;
  readonly #parts: ComputeParts;
  #share: ComputeShare | null = null;
  /** null = it has the card for itself by right: nothing is told and nothing counted. */
  #terms: ComputeTerms | null = null;
  #usedMs = 0;
  #isBusy = false;
  #isRunning = false;
  #toldAtMs: MonotonicMs | null = null;
  #resting: Timer | null = null;

  constructor(parts: ComputeParts) {
    this.#parts = parts;
  }

  join(): void {
    const { account, options } = this.#parts;
    if (account === null || options.gpus.length === 0) return;
    this.#share = account.shareCompute(options.gpus, (terms) => {
      const wasAlone = this.#terms === null;
      this.#terms = terms;
      if (wasAlone && terms !== null && this.#isRunning) this.#tell(true);
      this.refresh();
    });
  }

  began(): void {
    this.#isRunning = true;
    if (this.#terms === null) return;
    this.#resting?.cancel();
    this.#resting = null;
    if (!this.#isBusy) this.#tell(true);
  }

  stepped(aloneMs: number): void {
    if (this.#terms === null) return;
    const { clock, options } = this.#parts;
    this.#usedMs += aloneMs * options.demandRatio;
    if (this.#toldAtMs === null || clock.monotonicMs() - this.#toldAtMs >= TELL_EACH_MS) this.#tell(true);
  }

  rested(): void {
    this.#isRunning = false;
    if (!this.#isBusy || this.#resting !== null) return;
    this.#resting = this.#parts.clock.after(REST_AFTER_MS, () => {
      this.#resting = null;
      this.#tell(false);
    });
  }

  refresh(): void {
    const terms = this.#terms;
    const isFree = terms === null || (!terms.isEnforced && this.#parts.ignoresShare());
    const next = isFree ? 1 : terms.slowdown;
    if (next === this.slowdown) return;
    const ratio = next / this.slowdown;
    this.slowdown = next;
    this.#parts.repaced(ratio);
  }

  stop(): void {
    this.#resting?.cancel();
    this.#share?.stop();
    this.#share = null;
  }

  #tell(isBusy: boolean): void {
    this.#isBusy = isBusy;
    this.#toldAtMs = this.#parts.clock.monotonicMs();
    this.#share?.tell({ isBusy, usedMs: this.#usedMs, demandRatio: this.#parts.options.demandRatio });
  }
}
