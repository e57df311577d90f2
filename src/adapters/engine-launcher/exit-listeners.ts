import type { EngineExit } from "../../ports/engine-launcher.ts";

/** Tells the listeners of a launcher which engine ended. */
export interface ExitListeners {
  add(listener: (exit: EngineExit) => void): { stop(): void };
  tell(exit: EngineExit): void;
}

export function createExitListeners(): ExitListeners {
  const listeners = new Set<{ readonly listener: (exit: EngineExit) => void }>();
  return {
    add(listener) {
      const entry = { listener };
      listeners.add(entry);
      return { stop: () => void listeners.delete(entry) };
    },
    tell(exit) {
      for (const { listener } of listeners) listener(exit);
    },
  };
}
