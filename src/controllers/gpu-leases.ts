import type { Clock, Timer } from "../ports/clock.ts";
import { grantable, type LeaseAsk } from "./lease-order.ts";

export interface Lease {
  /** What was booted is up, and loads: others may boot. */
  booted(): void;
  release(): void;
}

/** Who may move memory on which GPU now; held until that memory was read back from the driver. */
export interface GpuLeases {
  /** Waits for its turn. null = cancelled meanwhile. */
  acquire(ask: LeaseAsk, signal: AbortSignal): Promise<Lease | null>;
  /** At once: a kill takes nothing and waits for nobody, but nothing new begins on its GPUs before their bytes are free. */
  block(gpus: readonly string[]): Lease;
}

interface Waiting {
  ask: LeaseAsk;
  readonly grant: (lease: Lease) => void;
}

/** A boot lets an urgent one of its machine go first for no longer: one that takes minutes is no reason to have no redundancy. */
const BOOT_PATIENCE_MS = 3_000;
/** Losses of one node or zone are seen one after another: so long an urgent one lets those of each tier above it come first. */
const GATHER_PER_TIER_MS = 50;

export const createGpuLeases = (clock: Pick<Clock, "after">): GpuLeases => new LeaseBook(clock);

class LeaseBook implements GpuLeases {
  readonly #clock: Pick<Clock, "after">;
  readonly #holding = new Set<LeaseAsk>();
  /** In order of arrival. */
  readonly #waiting = new Set<Waiting>();

  constructor(clock: Pick<Clock, "after">) {
    this.#clock = clock;
  }

  acquire(ask: LeaseAsk, signal: AbortSignal): Promise<Lease | null> {
    if (signal.aborted) return Promise.resolve(null);
    return new Promise((resolve) => {
      let timer: Timer | null = null;
      const done = (lease: Lease | null): void => {
        signal.removeEventListener("abort", cancel);
        timer?.cancel();
        resolve(lease);
      };
      const entry: Waiting = { ask: { ...ask }, grant: done };
      const cancel = (): void => {
        this.#waiting.delete(entry);
        done(null);
        // What it kept for itself is free for others now.
        this.#next();
      };
      const enter = (): void => {
        this.#waiting.add(entry);
        this.#next();
        if (ask.bootsOn !== null && this.#waiting.has(entry)) timer = this.#clock.after(BOOT_PATIENCE_MS, () => this.#insist(entry));
      };
      signal.addEventListener("abort", cancel, { once: true });
      if (ask.isUrgent && ask.tierRank > 0) timer = this.#clock.after(GATHER_PER_TIER_MS * ask.tierRank, enter);
      else enter();
    });
  }

  block(gpus: readonly string[]): Lease {
    return this.#hold({ gpus, link: null, bootsOn: null, isUrgent: false, tierRank: 0, priority: 0 });
  }

  #insist(entry: Waiting): void {
    entry.ask = { ...entry.ask, bootsOn: null };
    this.#next();
  }

  #hold(ask: LeaseAsk): Lease {
    let held = ask;
    this.#holding.add(held);
    return {
      booted: () => {
        if (held.bootsOn === null || !this.#holding.delete(held)) return;
        held = { ...held, bootsOn: null };
        this.#holding.add(held);
        this.#next();
      },
      release: () => {
        if (this.#holding.delete(held)) this.#next();
      },
    };
  }

  #next(): void {
    const waiting = [...this.#waiting];
    const indexes = grantable(
      [...this.#holding],
      waiting.map(({ ask }) => ask),
    );
    const granted = indexes.flatMap((index) => waiting[index] ?? []);
    for (const entry of granted) this.#waiting.delete(entry);
    for (const entry of granted) entry.grant(this.#hold(entry.ask));
  }
}
