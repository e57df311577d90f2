import { later, type MonotonicMs } from "../../base/ids.ts";
import type { ComputeUse } from "../../ports/gpu-account.ts";
import type { ObservedCompute } from "../../ports/gpu-driver.ts";

/** Device time of one process on one GPU: granted by the account, and used by its own reports. */
export interface DeviceMeter {
  /** As of the last report; null before the first. */
  readonly shown: ObservedCompute | null;
  /** Share of the card that it takes, as long as that is clearly more than it is granted; else 0. */
  readonly takenRatio: number;
  /** From now on. */
  entitle(ratio: number, nowMs: MonotonicMs): void;
  /** @returns whether `takenRatio` changed. */
  report(use: ComputeUse, nowMs: MonotonicMs): boolean;
}

/** A process hears of less a moment after it is decided, and a busy machine delays that: so long the larger share counts. */
const HEARD_WITHIN_MS = 200;
/** Steps end when they end: shorter spans say nothing of a rate. */
const SPAN_MIN_MS = 400;
/** Timers are late, and made up for: a taker takes more than that above its share. */
const TAKER_RATIO = 1.25;
const TAKER_SHARE_MIN = 0.05;
const SAME_TAKEN = 0.02;

export function createDeviceMeter(nowMs: MonotonicMs): DeviceMeter {
  return new Meter(nowMs);
}

class Meter implements DeviceMeter {
  shown: ObservedCompute | null = null;
  takenRatio = 0;
  #grantedMs = 0;
  #usedMs = 0;
  #ratio = 0;
  /** What was granted before, as long as it counts. */
  #earlier: { readonly ratio: number; readonly untilMs: MonotonicMs } | null = null;
  #countedAtMs: MonotonicMs;
  #told: ComputeUse | null = null;
  #span: { readonly atMs: MonotonicMs; readonly grantedMs: number; readonly usedMs: number };

  constructor(nowMs: MonotonicMs) {
    this.#countedAtMs = nowMs;
    this.#span = { atMs: nowMs, grantedMs: 0, usedMs: 0 };
  }

  entitle(ratio: number, nowMs: MonotonicMs): void {
    this.#count(nowMs);
    if (ratio === this.#ratio) return;
    const earlier = this.#earlier;
    const larger = Math.max(this.#ratio, earlier !== null && earlier.untilMs > nowMs ? earlier.ratio : 0);
    // Without work nothing is granted, and nothing has to be heard.
    this.#earlier = ratio > 0 && larger > ratio ? { ratio: larger, untilMs: later(nowMs, HEARD_WITHIN_MS) } : null;
    this.#ratio = ratio;
  }

  report(use: ComputeUse, nowMs: MonotonicMs): boolean {
    this.#count(nowMs);
    // The first report of a process that this account has not seen before is where counting begins.
    const addedMs = this.#told === null ? 0 : Math.max(0, use.usedMs - this.#told.usedMs);
    this.#usedMs += addedMs;
    const isResumed = this.#told?.isBusy !== true;
    this.#told = use;
    this.shown = { grantedMs: this.#grantedMs, usedMs: this.#usedMs };
    if (isResumed || !use.isBusy) {
      this.#begin(nowMs);
      return this.#take(0);
    }
    return nowMs - this.#span.atMs >= SPAN_MIN_MS && this.#judge(nowMs);
  }

  #judge(nowMs: MonotonicMs): boolean {
    const spanMs = nowMs - this.#span.atMs;
    const usedRatio = (this.#usedMs - this.#span.usedMs) / spanMs;
    const grantedRatio = (this.#grantedMs - this.#span.grantedMs) / spanMs;
    this.#begin(nowMs);
    return this.#take(usedRatio > TAKER_RATIO * grantedRatio + TAKER_SHARE_MIN ? Math.min(1, usedRatio) : 0);
  }

  #begin(atMs: MonotonicMs): void {
    this.#span = { atMs, grantedMs: this.#grantedMs, usedMs: this.#usedMs };
  }

  #take(ratio: number): boolean {
    const isSame = ratio === 0 ? this.takenRatio === 0 : this.takenRatio > 0 && Math.abs(ratio - this.takenRatio) <= SAME_TAKEN;
    if (!isSame) this.takenRatio = ratio;
    return !isSame;
  }

  #count(nowMs: MonotonicMs): void {
    const spanMs = nowMs - this.#countedAtMs;
    const earlier = this.#earlier;
    const earlierMs = earlier === null ? 0 : Math.min(spanMs, Math.max(0, earlier.untilMs - this.#countedAtMs));
    this.#grantedMs += (earlier?.ratio ?? 0) * earlierMs + this.#ratio * (spanMs - earlierMs);
    this.#countedAtMs = nowMs;
  }
}
