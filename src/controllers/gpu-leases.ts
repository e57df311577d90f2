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

export function createGpuLeases(): GpuLeases {
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
      const own: LeaseAsk = { ...ask };
      return new Promise((resolve) => {
        const entry: Waiting = {
          ask: own,
          grant(lease) {
            signal.removeEventListener("abort", cancel);
            resolve(lease);
          },
        };
        const cancel = (): void => {
          waiting = waiting.filter((other) => other !== entry);
          resolve(null);
          // What it kept for itself is free for others now.
          next();
        };
        signal.addEventListener("abort", cancel, { once: true });
        waiting = [...waiting, entry];
        next();
      });
    },
    block: (gpus) => hold({ gpus, link: null, isUrgent: false, tierRank: 0, priority: 0 }),
  };
}
