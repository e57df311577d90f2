import type { Clock, Timer } from "../ports/clock.ts";

export interface LaneRules {
  /** true = bytes wait until `wake`. */
  isHeld(): boolean;
  delayMs(): number;
  /** Drawn for a frame that is sent at the instant of the one before it: true = both arrive together, as one segment of TCP. */
  areTogether(): boolean;
}

interface Frame {
  readonly dueMs: number;
  readonly bytes: number;
  readonly isUrgent: boolean;
  deliver(): void;
}

/** One direction of a connection: frames arrive in order, each after its delay, none while held or paused. */
export class Lane {
  readonly #clock: Clock;
  readonly #rules: LaneRules;
  readonly #frames: Frame[] = [];
  #timer: Timer | null = null;
  #isPaused = false;
  #queuedBytes = 0;
  #lastDueMs = 0;
  #lastSentMs = -1;

  constructor(clock: Clock, rules: LaneRules) {
    this.#clock = clock;
    this.#rules = rules;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** @param isUrgent goes through a pause of the receiver: the end of a connection is seen without reading. */
  send(bytes: number, isUrgent: boolean, deliver: () => void): void {
    const nowMs = this.#clock.monotonicMs();
    const isTogether = nowMs === this.#lastSentMs && this.#rules.areTogether();
    this.#lastSentMs = nowMs;
    if (!isTogether) this.#lastDueMs = Math.max(this.#lastDueMs, nowMs + this.#rules.delayMs());
    this.#frames.push({ dueMs: this.#lastDueMs, bytes, isUrgent, deliver });
    this.#queuedBytes += bytes;
    this.#arm();
  }

  /** Drops what has not arrived yet. */
  clear(): void {
    this.#frames.length = 0;
    this.#queuedBytes = 0;
    this.#timer?.cancel();
    this.#timer = null;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#arm();
  }

  /** What held the frames may be over. */
  wake(): void {
    this.#arm();
  }

  #arm(): void {
    const next = this.#frames[0];
    if (next === undefined || this.#timer !== null || !this.#mayPass(next)) return;
    this.#timer = this.#clock.after(next.dueMs - this.#clock.monotonicMs(), () => {
      this.#timer = null;
      this.#deliver(next.dueMs);
    });
  }

  /** What has arrived together is handed over in one turn, as far as the receiver takes it. */
  #deliver(dueMs: number): void {
    for (let frame = this.#frames[0]; frame !== undefined && frame.dueMs <= dueMs && this.#mayPass(frame); frame = this.#frames[0]) {
      this.#frames.shift();
      this.#queuedBytes -= frame.bytes;
      frame.deliver();
    }
    this.#arm();
  }

  #mayPass(frame: Frame): boolean {
    return !this.#rules.isHeld() && (frame.isUrgent || !this.#isPaused);
  }
}
