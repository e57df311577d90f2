import { assert } from "../../base/assert.ts";
import { monotonicMs, wallMs } from "../../base/ids.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Random } from "../../ports/random.ts";
import { runTurns } from "./run-turns.ts";
import { sleepOn } from "./sleep-on.ts";

/** 2026-01-01T00:00:00Z: any fixed time, so that two runs show the same. */
const START_WALL_MS = 1_767_225_600_000;

/** Virtual time: it moves only in `advance`. */
export interface SimulatedClock extends Clock {
  /** Runs all that falls due within `durationMs`, in order of time and then of request or of the draw, letting promises settle after each. One call at a time. */
  advance(durationMs: number): Promise<void>;
  /** When the next timer fires on `monotonicMs`; null = nothing waits. */
  nextDueMs(): number | null;
}

/**
 * @param startMs what `monotonicMs` says at first.
 * @param order draws who comes first of those that are due at the same instant; null = who asked first.
 */
export function createSimulatedClock(startMs: number = 0, order: Pick<Random, "next"> | null = null): SimulatedClock {
  const timers = new TimerHeap(order);
  let nowMs = startMs;
  let isAdvancing = false;

  const after: Clock["after"] = (delayMs, fire) => timers.add(nowMs + Math.max(0, delayMs), fire);

  return {
    wallMs: () => wallMs(Math.floor(START_WALL_MS + nowMs - startMs)),
    monotonicMs: () => monotonicMs(nowMs),
    after,
    sleep: sleepOn(after),
    advance: async (durationMs) => {
      assert(!isAdvancing, "one advance of the simulated clock runs at a time");
      isAdvancing = true;
      const untilMs = nowMs + durationMs;
      try {
        await runTurns(() => {
          const timer = timers.takeDue(untilMs);
          if (timer === null) return false;
          nowMs = timer.dueMs;
          timer.fire?.();
          return true;
        });
        nowMs = untilMs;
      } finally {
        isAdvancing = false;
      }
    },
    nextDueMs: () => timers.peek()?.dueMs ?? null,
  };
}

class SimulatedTimer implements Timer {
  readonly dueMs: number;
  /** Among equals of time: drawn, and counted among equals of the draw. */
  readonly rank: number;
  readonly order: number;
  /** null = cancelled; such a timer is dropped when it reaches the top. */
  fire: (() => void) | null;

  constructor(dueMs: number, place: { readonly rank: number; readonly order: number }, fire: () => void) {
    this.dueMs = dueMs;
    this.rank = place.rank;
    this.order = place.order;
    this.fire = fire;
  }

  cancel(): void {
    this.fire = null;
  }
}

/** A binary heap by (time, rank, order of request). */
class TimerHeap {
  readonly #items: SimulatedTimer[] = [];
  readonly #random: Pick<Random, "next"> | null;
  #added = 0;

  constructor(random: Pick<Random, "next"> | null) {
    this.#random = random;
  }

  add(dueMs: number, fire: () => void): SimulatedTimer {
    const timer = new SimulatedTimer(dueMs, { rank: this.#random === null ? 0 : this.#random.next(), order: this.#added }, fire);
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

const isEarlier = (a: SimulatedTimer, b: SimulatedTimer): boolean => {
  if (a.dueMs !== b.dueMs) return a.dueMs < b.dueMs;
  return a.rank < b.rank || (a.rank === b.rank && a.order < b.order);
};
