import { assert } from "../../base/assert.ts";
import { monotonicMs, wallMs } from "../../base/ids.ts";
import type { Clock } from "../../ports/clock.ts";
import { nextTurn } from "./next-turn.ts";

/** 2026-01-01T00:00:00Z: any fixed time, so that two runs show the same. */
const START_WALL_MS = 1_767_225_600_000;

/** Virtual time: it moves only in `advance`. */
export interface SimulatedClock extends Clock {
  /** Runs all that falls due within `durationMs`, in order of time and then of request, letting promises settle after each. One call at a time. */
  advance(durationMs: number): Promise<void>;
  /** When the next timer fires on `monotonicMs`; null = nothing waits. */
  nextDueMs(): number | null;
}

/** @param startMs what `monotonicMs` says at first. */
export function createSimulatedClock(startMs: number = 0): SimulatedClock {
  const timers = new TimerHeap();
  let nowMs = startMs;
  let isAdvancing = false;

  const after: Clock["after"] = (delayMs, fire) => {
    const timer = timers.add(nowMs + Math.max(0, delayMs), fire);
    return {
      cancel: () => {
        timer.fire = null;
      },
    };
  };

  return {
    wallMs: () => wallMs(Math.floor(START_WALL_MS + nowMs - startMs)),
    monotonicMs: () => monotonicMs(nowMs),
    after,
    sleep: (delayMs, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const wake = (): void => {
          timer.cancel();
          signal.removeEventListener("abort", wake);
          resolve();
        };
        const timer = after(delayMs, wake);
        signal.addEventListener("abort", wake, { once: true });
      }),
    advance: async (durationMs) => {
      assert(!isAdvancing, "one advance of the simulated clock runs at a time");
      isAdvancing = true;
      try {
        const untilMs = nowMs + durationMs;
        await nextTurn();
        for (let timer = timers.takeDue(untilMs); timer !== null; timer = timers.takeDue(untilMs)) {
          nowMs = timer.dueMs;
          timer.fire?.();
          await nextTurn();
        }
        nowMs = untilMs;
      } finally {
        isAdvancing = false;
      }
    },
    nextDueMs: () => timers.peek()?.dueMs ?? null,
  };
}

interface SimulatedTimer {
  readonly dueMs: number;
  readonly order: number;
  /** null = cancelled; such a timer is dropped when it reaches the top. */
  fire: (() => void) | null;
}

/** A binary heap by (time, order of request). */
class TimerHeap {
  readonly #items: SimulatedTimer[] = [];
  #added = 0;

  add(dueMs: number, fire: () => void): SimulatedTimer {
    const timer: SimulatedTimer = { dueMs, order: this.#added, fire };
    this.#added += 1;
    let at = this.#items.length;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#items[parentAt];
      if (parent === undefined || isEarlier(parent, timer)) break;
      this.#items[at] = parent;
      at = parentAt;
    }
    this.#items[at] = timer;
    return timer;
  }

  peek(): SimulatedTimer | null {
    for (let top = this.#items[0]; top !== undefined; top = this.#items[0]) {
      if (top.fire !== null) return top;
      this.#removeTop();
    }
    return null;
  }

  takeDue(untilMs: number): SimulatedTimer | null {
    const top = this.peek();
    if (top === null || top.dueMs > untilMs) return null;
    this.#removeTop();
    return top;
  }

  #removeTop(): void {
    const last = this.#items.pop();
    const count = this.#items.length;
    if (last === undefined || count === 0) return;
    let at = 0;
    for (;;) {
      const childAt = this.#earlierChildOf(at);
      const child = this.#items[childAt];
      if (child === undefined || isEarlier(last, child)) break;
      this.#items[at] = child;
      at = childAt;
    }
    this.#items[at] = last;
  }

  #earlierChildOf(at: number): number {
    const left = this.#items[2 * at + 1];
    const right = this.#items[2 * at + 2];
    return left !== undefined && right !== undefined && isEarlier(right, left) ? 2 * at + 2 : 2 * at + 1;
  }
}

const isEarlier = (a: SimulatedTimer, b: SimulatedTimer): boolean => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
