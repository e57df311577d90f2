/** Immediates that are asked for together: one round of the event loop costs as much as several steps. */
const BATCH_FIRST = 16;
const BATCH_MAX = 64;

/**
 * Calls `step` until it returns false, each time in a turn of its own: every promise that can settle has settled before, however deep
 * the chains are. A rejection is what `step` threw.
 */
export const runTurns = (step: () => boolean): Promise<void> =>
  new Promise((resolve, reject) => {
    let isOver = false;
    const turn = (): void => {
      if (isOver) return;
      try {
        if (step()) return;
        isOver = true;
        resolve();
      } catch (cause) {
        isOver = true;
        reject(cause);
      }
    };
    // Promises settle between two immediates of one round as they do between two rounds.
    const round = (turns: number): void => {
      turn();
      if (isOver) return;
      for (let count = 1; count < turns; count += 1) setImmediate(turn);
      setImmediate(round, Math.min(2 * turns, BATCH_MAX));
    };
    setImmediate(round, BATCH_FIRST);
  });
