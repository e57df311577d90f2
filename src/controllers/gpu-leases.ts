import type { Clock, Timer } from "../ports/clock.ts";
import { grantable, type LeaseAsk } from "./lease-order.ts";

export interface Lease {
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
  readonly ask: LeaseAsk;
  readonly grant: (lease: Lease) => void;
}

/** A boot lets urgent ones of its machine go first for no longer: what takes minutes there is no reason to have no redundancy. */
const BOOT_PATIENCE_MS = 3_000;

export function createGpuLeases(clock: Pick<Clock, "after">): GpuLeases {
  const holding = new Set<LeaseAsk>();
  let waiting: readonly Waiting[] = [];

  function hold(ask: LeaseAsk): Lease {
    holding.add(ask);
    return {
      release() {
        if (holding.delete(ask)) next();
      },
    };
  }

  function next(): void {
    const granted = new Set(
      grantable(
        [...holding],
        waiting.map(({ ask }) => ask),
      ).map((index) => waiting[index]),
    );
    waiting = waiting.filter((entry) => !granted.has(entry));
    for (const entry of granted) entry?.grant(hold(entry.ask));
  }

  return {
    acquire(ask, signal) {
      if (signal.aborted) return Promise.resolve(null);
      return new Promise((resolve) => {
        let patience: Timer | null = null;
        let entry: Waiting = {
          ask: { ...ask },
          grant(lease) {
            patience?.cancel();
            signal.removeEventListener("abort", cancel);
            resolve(lease);
          },
        };
        const cancel = (): void => {
          waiting = waiting.filter((other) => other !== entry);
          patience?.cancel();
          resolve(null);
          // What it kept for itself is free for others now.
          next();
        };
        signal.addEventListener("abort", cancel, { once: true });
        waiting = [...waiting, entry];
        next();
        if (!ask.isBoot || !waiting.includes(entry)) return;
        patience = clock.after(BOOT_PATIENCE_MS, () => {
          const impatient: Waiting = { ...entry, ask: { ...entry.ask, isBoot: false } };
          waiting = waiting.map((other) => (other === entry ? impatient : other));
          entry = impatient;
          next();
        });
      });
    },
    block: (gpus) => hold({ gpus, link: null, machine: null, isBoot: false, isUrgent: false, tierRank: 0, priority: 0 }),
  };
}
