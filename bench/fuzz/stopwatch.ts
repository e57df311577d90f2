const LOOK_EVERY_MS = 1;

/** CPU time of this thread, in milliseconds: a busy machine takes turns away from us, it adds none. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** How long one input keeps the loop, at most. */
export class Stopwatch {
  #longestMs = 0;
  #isWatching = false;

  get longestMs(): number {
    return this.#longestMs;
  }

  time<Value>(act: () => Value): Value {
    const fromMs = cpuMs();
    try {
      return act();
    } finally {
      this.#saw(cpuMs() - fromMs);
    }
  }

  /** Times every turn of the loop from now on, whatever runs in it: a long one alone, short ones together with those around them. */
  watchTurns(): void {
    this.#isWatching = true;
    let fromMs = cpuMs();
    const look = (): void => {
      const nowMs = cpuMs();
      this.#saw(nowMs - fromMs);
      fromMs = nowMs;
      if (this.#isWatching) setTimeout(look, LOOK_EVERY_MS);
    };
    setTimeout(look, LOOK_EVERY_MS);
  }

  /** What was until now was code that runs for the first time. */
  forget(): void {
    this.#longestMs = 0;
  }

  stop(): void {
    this.#isWatching = false;
  }

  #saw(tookMs: number): void {
    this.#longestMs = Math.max(this.#longestMs, tookMs);
  }
}
