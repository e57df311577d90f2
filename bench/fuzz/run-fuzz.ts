import { setTimeout as sleep } from "node:timers/promises";
import type { FuzzTarget, OpenTarget } from "./fuzz-target.ts";
import { Mutator } from "./mutator.ts";
import { Stopwatch } from "./stopwatch.ts";

/** What the loop may not stand still for longer than, whatever bytes come. */
export const TURN_MAX_MS = 50;
/** Far above what a fixed number of inputs in flight can need. */
const RESIDENT_BYTES_MAX = 1_536 * 1_048_576;
const LOOK_EVERY = 256;
/** Code that runs for the first time is compiled first. */
const WARM_UP_EXECUTIONS = 200;
/** A turn also holds what the machine's other work and the garbage of a thousand inputs cost: a long one counts when its input does it again. */
const REPEATS = 3;
const SETTLES_WITHIN_MS = 5;

export interface FuzzFind {
  readonly error: string;
  /** All that ran when it happened: with several lanes one of them. */
  readonly inputs: readonly Buffer[];
}

export interface FuzzReport {
  readonly executions: number;
  readonly longestTurnMs: number;
  /** Turns above the limit that no input did again. */
  readonly longTurns: number;
  readonly residentBytes: number;
  /** The first one ends the run. */
  readonly find: FuzzFind | null;
}

export interface FuzzRun {
  readonly seed: number;
  /** The run ends when this says so. */
  isOver(executions: number): boolean;
  /** Judged instead of made ones, which only warm the code up first. */
  readonly inputs?: readonly Buffer[];
}

/** Gives a target input after input, and watches the loop, the memory, and errors that nobody catches. */
export async function runFuzz(open: OpenTarget, run: FuzzRun): Promise<FuzzReport> {
  const session = new Session();
  process.on("uncaughtException", session.caught);
  process.on("unhandledRejection", session.caught);
  const target = await open(session.watch);
  try {
    return await session.run(target, run);
  } finally {
    session.watch.stop();
    await target.close();
    process.off("uncaughtException", session.caught);
    process.off("unhandledRejection", session.caught);
  }
}

class Session {
  watch = new Stopwatch();
  readonly #open = new Set<Buffer>();
  #executions = 0;
  #residentBytes = 0;
  #find: FuzzFind | null = null;
  #longestTurnMs = 0;
  #longTurns = 0;
  /** All lanes wait while one input runs alone. */
  #isAlone: Promise<void> | null = null;

  readonly caught = (cause: unknown): void => {
    const error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    this.#find ??= { error, inputs: [...this.#open] };
  };

  async run(target: FuzzTarget, run: FuzzRun): Promise<FuzzReport> {
    const made = new Mutator(target, run.seed);
    const lanes = async (next: () => Buffer | null): Promise<void> =>
      void (await Promise.all(Array.from({ length: target.lanes }, () => this.#lane(target, next, run))));
    if (run.inputs === undefined) await lanes(() => made.next());
    else {
      await lanes(() => (this.#executions < WARM_UP_EXECUTIONS ? made.next() : null));
      this.watch.forget();
      const given = [...run.inputs];
      await lanes(() => given.shift() ?? null);
    }
    this.#look();
    this.#longestTurnMs = Math.max(this.#longestTurnMs, this.watch.longestMs);
    return {
      executions: this.#executions,
      longestTurnMs: this.#longestTurnMs,
      longTurns: this.#longTurns,
      residentBytes: this.#residentBytes,
      find: this.#find,
    };
  }

  async #lane(target: FuzzTarget, next: () => Buffer | null, run: FuzzRun): Promise<void> {
    while (this.#find === null && !run.isOver(this.#executions)) {
      const input = next();
      if (input === null) return;
      this.#executions += 1;
      this.#open.add(input);
      try {
        const running = target.run(input);
        if (running instanceof Promise) await running;
      } catch (cause) {
        this.caught(cause);
      }
      const together = [...this.#open];
      this.#open.delete(input);
      if (this.#executions === WARM_UP_EXECUTIONS) this.watch.forget();
      if (this.#executions > WARM_UP_EXECUTIONS && this.watch.longestMs > TURN_MAX_MS) this.#isAlone ??= this.#repeat(target, together);
      if (this.#executions % LOOK_EVERY === 0) {
        this.#look();
        // Signals and timers of a target that never waits.
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (this.#isAlone !== null) await this.#isAlone;
    }
  }

  /** Was it one of these? */
  async #repeat(target: FuzzTarget, inputs: readonly Buffer[]): Promise<void> {
    this.#longestTurnMs = Math.max(this.#longestTurnMs, this.watch.longestMs);
    this.#longTurns += 1;
    while (this.#open.size > 0) await sleep(1);
    for (const input of inputs) {
      let leastMs = Number.POSITIVE_INFINITY;
      for (let repeat = 0; repeat < REPEATS && leastMs > TURN_MAX_MS; repeat += 1) {
        this.watch.forget();
        try {
          await target.run(input);
        } catch (cause) {
          this.caught(cause);
        }
        await sleep(SETTLES_WITHIN_MS);
        leastMs = Math.min(leastMs, this.watch.longestMs);
      }
      if (leastMs > TURN_MAX_MS) this.#find ??= { error: `One turn took ${leastMs} ms of CPU, each of ${REPEATS} times.`, inputs: [input] };
    }
    this.watch.forget();
    this.#isAlone = null;
  }

  #look(): void {
    this.#residentBytes = Math.max(this.#residentBytes, process.memoryUsage.rss());
    if (this.#residentBytes > RESIDENT_BYTES_MAX) this.caught(new Error(`It holds ${this.#residentBytes} bytes of memory.`));
  }
}
