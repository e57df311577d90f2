import { sleepOn } from "../adapters/clock/sleep-on.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Call, Upstream } from "../ports/upstream.ts";

/** What the dead hear. */
export const NEVER = new Promise<never>(() => undefined);
/** What the dead are given for a call. */
export const NO_CALL: Call = { pause: () => undefined, resume: () => undefined, abort: () => undefined };

/** Of a process: cancelled, it does not fire either when it was due in a pause. */
class LifeTimer implements Timer {
  waits: Timer | null = null;
  #act: (() => void) | null;

  constructor(act: () => void) {
    this.#act = act;
  }

  fire(): void {
    const act = this.#act;
    this.#act = null;
    act?.();
  }

  cancel(): void {
    this.#act = null;
    this.waits?.cancel();
  }
}

/**
 * What lets one simulated process run, stand still as by SIGSTOP, and die. All that may move a process passes through here: its timers
 * (`clock`), what it is told (`run`) and the answers that it waits for (`answer`). While it is paused they wait and time goes on; then
 * they come one turn each, oldest first. After `end` nothing comes any more.
 */
export class ProcessLife {
  readonly clock: Clock;
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  readonly #ends: (() => void)[] = [];
  readonly #resumes: ((pausedMs: number) => void)[] = [];
  #state: "running" | "paused" | "dead" = "running";
  #pausedAtMs = 0;
  #isDraining = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    const after: Clock["after"] = (delayMs, fire) => {
      const timer = new LifeTimer(fire);
      timer.waits = clock.after(delayMs, () => {
        if (this.#isFree) timer.fire();
        else this.run(() => timer.fire());
      });
      return timer;
    };
    this.clock = { wallMs: () => clock.wallMs(), monotonicMs: () => clock.monotonicMs(), after, sleep: sleepOn(after) };
  }

  get #isFree(): boolean {
    return this.#state === "running" && !this.#isDraining;
  }
  get isDead(): boolean {
    return this.#state === "dead";
  }
  get isPaused(): boolean {
    return this.#state === "paused";
  }

  /** At once in a running process that owes nothing; in a paused one when it goes on; never in a dead one. */
  run(act: () => void): void {
    if (this.#isFree) act();
    else if (this.#state !== "dead") this.#waiting.push(act);
  }

  /** The answer, when the process may hear it. */
  async answer<Value>(asked: Promise<Value>): Promise<Value> {
    const value = await asked;
    if (this.#state === "dead") return NEVER;
    if (this.#state === "paused" || this.#isDraining) await new Promise<void>((resolve) => this.run(resolve));
    return value;
  }

  /** The same calls; events of a call come as the process may hear them. Bytes are held by the network, which must be frozen too. */
  upstream(upstream: Upstream): Upstream {
    return {
      call: (to, request, events) => {
        if (this.isDead) return NO_CALL;
        let isAborted = false;
        const call = upstream.call(to, request, {
          head: (status, headers) => {
            if (!this.isDead) events.head(status, headers);
          },
          data: (lent) => {
            if (!this.isDead) events.data(lent);
          },
          end: () => {
            if (!this.isDead) events.end();
          },
          // A refused connect is no byte: no frozen connection holds it back.
          failed: (failure) =>
            this.run(() => {
              if (!isAborted) events.failed(failure);
            }),
        });
        return {
          pause: () => call.pause(),
          resume: () => call.resume(),
          abort: () => {
            isAborted = true;
            call.abort();
          },
        };
      },
    };
  }

  /** Called once, when the process dies. */
  onEnd(act: () => void): void {
    this.#ends.push(act);
  }

  /** Called at the end of each pause, before anything that waited. */
  onResume(act: (pausedMs: number) => void): void {
    this.#resumes.push(act);
  }

  pause(): void {
    if (this.#state !== "running") return;
    this.#state = "paused";
    this.#pausedAtMs = this.#clock.monotonicMs();
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    for (const act of this.#resumes) act(this.#clock.monotonicMs() - this.#pausedAtMs);
    if (this.#isDraining || this.#waiting.length === 0) return;
    this.#isDraining = true;
    this.#clock.after(0, () => this.#drain());
  }

  end(): void {
    if (this.#state === "dead") return;
    this.#state = "dead";
    this.#waiting.length = 0;
    for (const act of this.#ends) act();
  }

  #drain(): void {
    if (this.#state !== "running") {
      this.#isDraining = false;
      return;
    }
    const act = this.#waiting.shift();
    if (act === undefined) {
      this.#isDraining = false;
      return;
    }
    act();
    this.#clock.after(0, () => this.#drain());
  }
}
