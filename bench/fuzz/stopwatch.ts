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

  /** Times every turn of the loop from now on, whatever runs in it. */
  watchTurns(): void {
    this.#isWatching = true;
    let fromMs = cpuMs();
    const look = (): void => {
      const nowMs = cpuMs();
      this.#saw(nowMs - fromMs);
      fromMs = nowMs;
      if (this.#isWatching) setImmediate(look);
    };
    setImmediate(look);
  }

  stop(): void {
    this.#isWatching = false;
  }

  #saw(tookMs: number): void {
    this.#longestMs = Math.max(this.#longestMs, tookMs);
  }
}
