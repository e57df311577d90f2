import { assert } from "../base/assert.ts";
import type { Kind } from "../api/resource.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Requeue } from "./requeue.ts";

export interface LoopOptions {
  /** In the log: `standby`. */
  readonly name: string;
  /** What to look at after a change; a change of no interest is no name. */
  readonly namesOf: (change: { readonly kind: Kind; readonly name: string }) => readonly string[];
  /** What to look at first, in this order. Rejects while the store cannot be read. */
  readonly firstNames: () => Promise<readonly string[]>;
  /** One look; a rejection is looked at again with backoff. null = only when something is reported. */
  readonly reconcile: (name: string, signal: AbortSignal) => Promise<Requeue | null>;
}

export interface LoopPorts {
  readonly store: ClusterStore;
  readonly clock: Clock;
  readonly log: EventLog;
}

export interface Loop {
  /** Something may have changed: look. Many kicks are one look. */
  kick(name: string): void;
  /** Resolves when every first name was looked at once, whatever came of it; never while the first names cannot be read. */
  readonly firstLooks: Promise<void>;
  /** Resolves when no look runs any more. */
  stop(): Promise<void>;
}

const ERROR_BACKOFF_FIRST_MS = 100;
/** As rare as looks are when all is well: a store that is back is noticed, and one that is away is not asked more often than before. */
const ERROR_BACKOFF_MAX_MS = 2_000;
/** Looks of different names run together, so many at most. */
const LOOKS_MAX = 16;
/** A look that asks for another at once still lets others run. */
const REQUEUE_MIN_MS = 1;

interface Named {
  isRunning: boolean;
  isQueued: boolean;
  failures: number;
  /** What reports something cuts the backoff short, but not to nothing: a look that fails may report its own writes. */
  restsUntilMs: number;
  timer: Timer | null;
}

/** Level-triggered: an event only says "look"; looks of one name never overlap, and one that fails is repeated with capped backoff. */
export function startLoop(options: LoopOptions, ports: LoopPorts): Loop {
  const loop = new RunLoop(options, ports);
  loop.start();
  return loop;
}

class RunLoop implements Loop {
  readonly #options: LoopOptions;
  readonly #ports: LoopPorts;
  readonly #names = new Map<string, Named>();
  readonly #queue: string[] = [];
  readonly #looks = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  /** Names of the first round that were not looked at yet; null = the round has not begun. */
  #unseen: Set<string> | null = null;
  #watch: { stop(): void } | null = null;
  #firstTry: Timer | null = null;

  constructor(options: LoopOptions, ports: LoopPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  get firstLooks(): Promise<void> {
    return this.#first.promise;
  }

  start(): void {
    this.#watch = this.#ports.store.watch((change) => {
      for (const name of this.#options.namesOf(change)) this.kick(name);
    });
    void this.#begin(1);
  }

  kick(name: string): void {
    if (this.#ending.signal.aborted) return;
    const entry = this.#names.get(name) ?? { isRunning: false, isQueued: false, failures: 0, restsUntilMs: 0, timer: null };
    this.#names.set(name, entry);
    if (entry.isQueued) return;
    entry.isQueued = true;
    this.#queue.push(name);
    if (!entry.isRunning) this.#startAfterRest(entry);
  }

  async stop(): Promise<void> {
    assert(!this.#ending.signal.aborted, "a loop is stopped once");
    this.#ending.abort();
    this.#watch?.stop();
    this.#firstTry?.cancel();
    for (const entry of this.#names.values()) entry.timer?.cancel();
    await Promise.all(this.#looks);
  }

  #startNext(): void {
    while (this.#looks.size < LOOKS_MAX && !this.#ending.signal.aborted) {
      const nowMs = this.#ports.clock.monotonicMs();
      const at = this.#queue.findIndex((name) => {
        const queued = this.#names.get(name);
        return queued?.isRunning === false && queued.restsUntilMs <= nowMs;
      });
      const name = at < 0 ? undefined : this.#queue.splice(at, 1)[0];
      const entry = name === undefined ? undefined : this.#names.get(name);
      if (name === undefined || entry === undefined) return;
      entry.isQueued = false;
      entry.isRunning = true;
      entry.timer?.cancel();
      entry.timer = null;
      const look = this.#look(name, entry).finally(() => {
        this.#looks.delete(look);
        this.#startNext();
      });
      this.#looks.add(look);
    }
  }

  #startAfterRest(entry: Named): void {
    const restMs = entry.restsUntilMs - this.#ports.clock.monotonicMs();
    if (restMs <= 0) return this.#startNext();
    entry.timer?.cancel();
    entry.timer = this.#ports.clock.after(restMs, () => this.#startNext());
  }

  async #look(name: string, entry: Named): Promise<void> {
    const requeue = await this.#attempt(name, entry);
    entry.isRunning = false;
    if (this.#unseen?.delete(name) === true && this.#unseen.size === 0) this.#first.resolve();
    if (this.#ending.signal.aborted) return;
    if (entry.isQueued) return this.#startAfterRest(entry);
    if (requeue === null) this.#names.delete(name);
    else entry.timer = this.#ports.clock.after(Math.max(REQUEUE_MIN_MS, requeue.afterMs), () => this.kick(name));
  }

  async #attempt(name: string, entry: Named): Promise<Requeue | null> {
    try {
      const requeue = await this.#options.reconcile(name, this.#ending.signal);
      entry.failures = 0;
      return requeue;
    } catch (cause) {
      entry.failures += 1;
      entry.restsUntilMs = this.#ports.clock.monotonicMs() + ERROR_BACKOFF_FIRST_MS;
      return { afterMs: this.#reportFailure(name, entry.failures, cause) };
    }
  }

  async #begin(attempt: number): Promise<void> {
    try {
      const names = await this.#options.firstNames();
      this.#unseen = new Set(names);
      if (names.length === 0) this.#first.resolve();
      for (const name of names) this.kick(name);
    } catch (cause) {
      if (this.#ending.signal.aborted) return;
      const againAfterMs = this.#reportFailure("(first names)", attempt, cause);
      this.#firstTry = this.#ports.clock.after(againAfterMs, () => void this.#begin(attempt + 1));
    }
  }

  /** @returns the delay before the next try. */
  #reportFailure(name: string, failures: number, cause: unknown): number {
    const againAfterMs = Math.min(ERROR_BACKOFF_MAX_MS, ERROR_BACKOFF_FIRST_MS * 2 ** Math.min(failures - 1, 16));
    const reason = cause instanceof Error ? cause.message : String(cause);
    const event = `${this.#options.name}.look-failed`;
    this.#ports.log.record({ level: "warn", event, fields: { name, failures, reason, againAfterMs } });
    return againAfterMs;
  }
}
