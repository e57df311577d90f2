import type { MonotonicMs } from "../base/ids.ts";
import {
  createBatchScheduler,
  type BatchProfile,
  type BatchScheduler,
  type Produced,
  type Sequence,
} from "../engine-model/batch-scheduler.ts";
import type { TokenSource } from "../engine-model/token-source.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { EngineCompute } from "./engine-compute.ts";
import type { EngineAnswer } from "./engine-answer.ts";
import type { EngineMetrics } from "./engine-metrics.ts";

/** One choice of one answer: where the scheduler's tokens go. */
interface Seat {
  readonly answer: EngineAnswer;
  readonly choice: number;
  readonly addedAt: MonotonicMs;
  lastTokenAt: MonotonicMs | null;
}

interface LoopFaults {
  readonly isHung: boolean;
  readonly slowFactor: number;
}

export interface LoopParts {
  readonly clock: Clock;
  readonly profile: BatchProfile;
  readonly faults: LoopFaults;
  readonly metrics: EngineMetrics;
  readonly stepMs: (plannedMs: number) => number;
  readonly compute: Pick<EngineCompute, "slowdown" | "began" | "stepped" | "rested">;
}

// A process that was late by more than this was stopped or starved: it does not run its missed steps after one another.
const CATCH_UP_MS = 50;

/** Runs the batch: one timer a step, and all streams of a step are written in it. */
export class EngineLoop {
  readonly #parts: LoopParts;
  readonly #scheduler: BatchScheduler<Seat>;
  readonly #sequences = new Map<EngineAnswer, Sequence<Seat>[]>();
  #timer: Timer | null = null;
  /** When the last step should have ended; null = the engine was idle. Keeps the rate right although timers are late. */
  #lastEndMs: number | null = null;
  #stepTokens = 0;
  /** What the step in flight takes on the card alone. */
  #stepAloneMs = 0;
  #isStepHeld = false;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#scheduler = createBatchScheduler(parts.profile);
  }

  get batch(): BatchScheduler<unknown> {
    return this.#scheduler;
  }
  get answers(): Iterable<EngineAnswer> {
    return this.#sequences.keys();
  }
  /** No sequence is in work; what is computed already may still wait to be written. */
  get isIdle(): boolean {
    return this.#scheduler.runningCount + this.#scheduler.waitingCount === 0;
  }

  /** @param sources one for each choice, in order. */
  add(answer: EngineAnswer, sources: readonly TokenSource[]): void {
    const { request } = answer.identity;
    const addedAt = this.#parts.clock.monotonicMs();
    const sequences = sources.map((source, choice) => {
      const prompt = Math.floor(choice / request.choicesPerPrompt);
      return this.#scheduler.add({
        owner: { answer, choice, addedAt, lastTokenAt: null },
        promptTokens: request.prompts[prompt]?.length ?? 0,
        source,
        maxTokens: request.maxTokens[prompt] ?? 1,
        minTokens: request.minTokens,
        isEndIgnored: request.isEndIgnored,
        stopIds: request.stopIds,
      });
    });
    this.#sequences.set(answer, sequences);
    for (const prompt of request.prompts) this.#parts.metrics.prompted(prompt.length);
    this.#begin();
  }

  /** The answer is over, for whatever reason: its places are free at the next step. */
  remove(answer: EngineAnswer): void {
    for (const sequence of this.#sequences.get(answer) ?? []) this.#drop(sequence);
    this.#sequences.delete(answer);
  }

  /** Cuts everything that runs or waits. */
  abortAll(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#isStepHeld = false;
    this.#lastEndMs = null;
    this.#parts.compute.rested();
    for (const sequence of this.#scheduler.clear()) this.#parts.metrics.finished("abort", this.#sinceAdded(sequence));
    for (const answer of this.#sequences.keys()) answer.abort();
  }

  /** A hang ended: the step that it held goes on. */
  resume(): void {
    if (!this.#isStepHeld) return this.#begin();
    this.#isStepHeld = false;
    this.#end();
  }

  /** What is left of the step in flight takes `ratio` times as long as it would have. */
  repace(ratio: number): void {
    if (this.#timer === null || this.#lastEndMs === null) return;
    const nowMs = this.#parts.clock.monotonicMs();
    this.#timer.cancel();
    this.#lastEndMs = nowMs + (this.#lastEndMs - nowMs) * ratio;
    this.#timer = this.#parts.clock.after(Math.max(0, this.#lastEndMs - nowMs), () => this.#end());
  }

  #drop(sequence: Sequence<Seat>): void {
    if (sequence.state !== "finished") this.#parts.metrics.finished("abort", this.#sinceAdded(sequence));
    this.#scheduler.remove(sequence);
  }

  #begin(): void {
    const { clock, faults, stepMs, compute } = this.#parts;
    if (this.#timer !== null || this.#isStepHeld || faults.isHung) return;
    const step = this.#scheduler.beginStep();
    if (step === null) {
      this.#lastEndMs = null;
      compute.rested();
      return;
    }
    // First: it may hear at once that others work there.
    compute.began();
    this.#stepTokens = step.tokens;
    this.#stepAloneMs = stepMs(step.durationMs) * faults.slowFactor;
    const nowMs = clock.monotonicMs();
    const isOnTime = this.#lastEndMs !== null && nowMs - this.#lastEndMs < CATCH_UP_MS;
    this.#lastEndMs = (isOnTime ? (this.#lastEndMs ?? nowMs) : nowMs) + this.#stepAloneMs * compute.slowdown;
    this.#timer = clock.after(Math.max(0, this.#lastEndMs - nowMs), () => this.#end());
  }

  #end(): void {
    this.#timer = null;
    if (this.#parts.faults.isHung) {
      this.#isStepHeld = true;
      this.#parts.compute.rested();
      return;
    }
    this.#parts.compute.stepped(this.#stepAloneMs);
    const produced = this.#scheduler.endStep();
    this.#parts.metrics.stepped(this.#stepTokens);
    if (produced.length > 0) this.#parts.metrics.generated(produced.length);
    for (const token of produced) this.#hand(token);
    for (const { sequence } of produced) sequence.request.owner.answer.flush();
    this.#begin();
  }

  #hand({ sequence, id, finish }: Produced<Seat>): void {
    const { metrics, clock } = this.#parts;
    const seat = sequence.request.owner;
    const nowMs = clock.monotonicMs();
    if (seat.lastTokenAt === null) metrics.firstToken(nowMs - seat.addedAt);
    else metrics.nextToken(nowMs - seat.lastTokenAt);
    seat.lastTokenAt = nowMs;
    const isOver = seat.answer.take(seat.choice, id, finish);
    // Cut or left behind: `remove` has counted it.
    const wasRemoved = finish === null && sequence.state === "finished";
    if (!isOver || wasRemoved) return;
    // A stop string ends what the scheduler would go on with.
    this.#scheduler.remove(sequence);
    metrics.finished(finish ?? "stop", this.#sinceAdded(sequence));
  }

  #sinceAdded(sequence: Sequence<Seat>): number {
    return this.#parts.clock.monotonicMs() - sequence.request.owner.addedAt;
  }
}
