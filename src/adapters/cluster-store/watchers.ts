import type { WatchListener } from "../../ports/cluster-store.ts";

/** Tells the listeners of a store about changes: after the write, never inside the writer's call. */
export function createWatchers(): Watchers {
  const listeners = new Set<{ readonly listener: WatchListener }>();
  return {
    watch(listener) {
      const entry = { listener };
      listeners.add(entry);
      return { stop: () => void listeners.delete(entry) };
    },
    tell(changes) {
      for (const change of changes) {
        for (const { listener } of listeners) listener(change);
      }
    },
    stopAll: () => listeners.clear(),
  };
}

export interface Watchers {
  watch(listener: WatchListener): { stop(): void };
  tell(changes: readonly Parameters<WatchListener>[0][]): void;
  stopAll(): void;
}
