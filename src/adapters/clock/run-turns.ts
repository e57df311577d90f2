/** Turns between two looks at the event loop, where the machine's signals, files and timers have theirs. */
const TURNS_PER_LOOK = 256;
let turnsSinceLook = 0;
/** A reaction of it is a microtask, at less than `queueMicrotask` costs. */
const settled = Promise.resolve();

/**
 * Calls `step` until it returns false, each time in a turn of its own: every promise that can settle has settled before, however deep
 * the chains are. A rejection is what `step` threw.
 */
export const runTurns = (step: () => boolean): Promise<void> =>
  new Promise((resolve, reject) => {
    const turn = (): void => {
      try {
        if (!step()) resolve();
        else next();
      } catch (cause) {
        reject(cause);
      }
    };
    const afterMicrotasks = (): void => {
      process.nextTick(turn);
    };
    // What a microtask asks for by `nextTick` runs when no microtask is left: as good as a round of the event loop, at a small part of its cost.
    const next = (): void => {
      turnsSinceLook += 1;
      if (turnsSinceLook < TURNS_PER_LOOK) void settled.then(afterMicrotasks);
      else {
        turnsSinceLook = 0;
        setImmediate(turn);
      }
    };
    next();
  });
