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

export interface FuzzFind {
  readonly error: string;
  /** All that ran when it happened: with several lanes one of them. */
  readonly inputs: readonly Buffer[];
}

export interface FuzzReport {
  readonly executions: number;
  readonly longestTurnMs: number;
  readonly residentBytes: number;
  /** The first one ends the run. */
  readonly find: FuzzFind | null;
}

export interface FuzzRun {
  readonly seed: number;
  /** The run ends when this says so. */
  isOver(executions: number): boolean;
  /** Instead of made ones. */
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

  readonly caught = (cause: unknown): void => {
    const error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    this.#find ??= { error, inputs: [...this.#open] };
  };

  async run(target: FuzzTarget, run: FuzzRun): Promise<FuzzReport> {
    const made = new Mutator(target, run.seed);
    const given = run.inputs === undefined ? null : [...run.inputs];
    const next = (): Buffer | null => (given === null ? made.next() : (given.shift() ?? null));
    await Promise.all(Array.from({ length: target.lanes }, () => this.#lane(target, next, run)));
    this.#look();
    const { longestMs } = this.watch;
    return { executions: this.#executions, longestTurnMs: longestMs, residentBytes: this.#residentBytes, find: this.#find };
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
      if (this.#executions === WARM_UP_EXECUTIONS) this.watch.forget();
      if (this.#executions % LOOK_EVERY === 0) {
        this.#look();
        // Signals and timers of a target that never waits.
        await new Promise((resolve) => setImmediate(resolve));
      }
      this.#open.delete(input);
    }
  }

  #look(): void {
    this.#residentBytes = Math.max(this.#residentBytes, process.memoryUsage.rss());
    if (this.#residentBytes > RESIDENT_BYTES_MAX) this.caught(new Error(`It holds ${this.#residentBytes} bytes of memory.`));
    const { longestMs } = this.watch;
    if (this.#executions > WARM_UP_EXECUTIONS && longestMs > TURN_MAX_MS) this.caught(new Error(`One turn took ${longestMs} ms of CPU.`));
  }
}
