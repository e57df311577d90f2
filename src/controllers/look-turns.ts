/** Takes turns where not all can be looked at in one look: whoever was left out longest comes next. */
export interface LookTurns {
  /** @param first come before everybody. @returns at most as many as a look takes, of `all` and `first`. */
  next(all: ReadonlySet<string>, first: ReadonlySet<string>): readonly string[];
}

export function createLookTurns(most: number): LookTurns {
  /** Whoever waits longest stands first. */
  const waiting = new Set<string>();
  let known: ReadonlySet<string> = new Set();

  function follow(all: ReadonlySet<string>): void {
    if (all === known) return;
    for (const key of waiting) if (!all.has(key)) waiting.delete(key);
    for (const key of all) waiting.add(key);
    known = all;
  }

  return {
    next(all, first) {
      follow(all);
      const chosen = new Set([...first].slice(0, most));
      for (const key of waiting) {
        if (chosen.size >= most) break;
        chosen.add(key);
      }
      for (const key of chosen) {
        if (!waiting.delete(key)) continue;
        waiting.add(key);
      }
      return [...chosen];
    },
  };
}
