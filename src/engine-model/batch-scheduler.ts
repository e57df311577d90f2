import { assert } from "../base/assert.ts";
import { KV_BLOCK_TOKENS } from "./memory-plan.ts";
import { END_ID } from "./token-ids.ts";
import type { TokenSource } from "./token-source.ts";

/** How fast an engine is, and how much it takes at once. */
export interface BatchProfile {
  readonly maxBatch: number;
  readonly kvBlocks: number;
  readonly stepBaseMs: number;
  readonly stepPerSequenceMs: number;
  readonly prefillTokensPerSecond: number;
  /** Prompt tokens that one step reads at most, over all its sequences. */
  readonly prefillChunkTokens: number;
}

/** One answer to generate. The prompt and `maxTokens` together must fit the KV memory alone. */
export interface SequenceRequest<Owner> {
  readonly owner: Owner;
  readonly promptTokens: number;
  readonly source: TokenSource;
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly isEndIgnored: boolean;
  readonly stopIds: readonly number[];
}

/** A sequence inside the scheduler; a handle for everybody else. */
export interface Sequence<Owner> {
  readonly request: SequenceRequest<Owner>;
  state: "waiting" | "running" | "finished";
  /** Tokens whose keys and values are in memory. */
  computedTokens: number;
  outputTokens: number;
  blocks: number;
  /** Tokens that the step in flight reads. */
  stepTokens: number;
}

interface StepPlan {
  readonly durationMs: number;
  /** Tokens that go through the model: prompt chunks and one for each decode. */
  readonly tokens: number;
  readonly prefillTokens: number;
}

/** One new token. `finish`: the answer ends with it. */
export interface Produced<Owner> {
  readonly sequence: Sequence<Owner>;
  readonly id: number;
  readonly finish: "stop" | "length" | null;
}

/**
 * Continuous batching: a step decodes one token for every running sequence and reads chunks of waiting prompts beside it.
 * Sequences run in order of arrival. KV blocks grow with each sequence; when they run out, the youngest loses its own and
 * is computed again later, to the same tokens. No clock: the caller lets `durationMs` pass between `beginStep` and `endStep`.
 */
export interface BatchScheduler<Owner> {
  add(request: SequenceRequest<Owner>): Sequence<Owner>;
  /** Ends a sequence early, also inside a step: its batch slot and memory are free at the next one. */
  remove(sequence: Sequence<Owner>): void;
  /** null = nothing to do. A begun step must end before the next begins. */
  beginStep(): StepPlan | null;
  endStep(): readonly Produced<Owner>[];
  /** Forgets a begun step and every sequence. @returns those that were cut. */
  clear(): readonly Sequence<Owner>[];
  readonly runningCount: number;
  readonly waitingCount: number;
  readonly kvUsageRatio: number;
  readonly preemptionCount: number;
}

export function createBatchScheduler<Owner>(profile: BatchProfile): BatchScheduler<Owner> {
  return new Scheduler<Owner>(profile);
}

class Scheduler<Owner> implements BatchScheduler<Owner> {
  readonly #profile: BatchProfile;
  /** Oldest first. */
  #running: Sequence<Owner>[] = [];
  #waiting: Sequence<Owner>[] = [];
  #step: Sequence<Owner>[] | null = null;
  #freeBlocks: number;
  preemptionCount = 0;

  constructor(profile: BatchProfile) {
    this.#profile = profile;
    this.#freeBlocks = profile.kvBlocks;
  }

  get runningCount(): number {
    return this.#running.length;
  }
  get waitingCount(): number {
    return this.#waiting.length;
  }
  get kvUsageRatio(): number {
    return 1 - this.#freeBlocks / this.#profile.kvBlocks;
  }

  add(request: SequenceRequest<Owner>): Sequence<Owner> {
    const blocksMax = blocksFor(request.promptTokens + request.maxTokens);
    assert(request.promptTokens > 0 && request.maxTokens > 0, "a sequence has a prompt and an answer");
    assert(blocksMax <= this.#profile.kvBlocks, "a sequence fits the KV memory alone");
    const sequence: Sequence<Owner> = { request, state: "waiting", computedTokens: 0, outputTokens: 0, blocks: 0, stepTokens: 0 };
    this.#waiting.push(sequence);
    return sequence;
  }

  remove(sequence: Sequence<Owner>): void {
    if (sequence.state === "finished") return;
    if (sequence.state === "running") this.#running = this.#running.filter((one) => one !== sequence);
    else this.#waiting = this.#waiting.filter((one) => one !== sequence);
    this.#finish(sequence);
  }

  clear(): readonly Sequence<Owner>[] {
    const cut = [...this.#running, ...this.#waiting];
    this.#running = [];
    this.#waiting = [];
    this.#step = null;
    for (const sequence of cut) this.#finish(sequence);
    return cut;
  }

  beginStep(): StepPlan | null {
    assert(this.#step === null, "one step at a time");
    const preemptionsBefore = this.preemptionCount;
    let prefillTokens = 0;
    const step: Sequence<Owner>[] = [];
    const take = (sequence: Sequence<Owner>): boolean => {
      const missing = missingTokens(sequence);
      const tokens = isDecoding(sequence) ? 1 : Math.min(missing, this.#profile.prefillChunkTokens - prefillTokens);
      if (tokens === 0 || !this.#reserve(sequence, sequence.computedTokens + tokens)) return false;
      sequence.stepTokens = tokens;
      if (!isDecoding(sequence)) prefillTokens += tokens;
      step.push(sequence);
      return true;
    };
    // Preemption shortens the list from its young end while it is walked from its old one.
    for (let at = 0; at < this.#running.length; at += 1) {
      const sequence = this.#running[at];
      if (sequence !== undefined) take(sequence);
    }
    // After a preemption nobody new comes in: the memory belongs to those that run.
    if (this.preemptionCount === preemptionsBefore) this.#admit(take);
    if (step.length === 0) return null;
    this.#step = step;
    return this.#planOf(step, prefillTokens);
  }

  endStep(): readonly Produced<Owner>[] {
    const step = this.#step;
    assert(step !== null, "a step began");
    this.#step = null;
    const produced: Produced<Owner>[] = [];
    for (const sequence of step) {
      if (sequence.state !== "running") continue;
      sequence.computedTokens += sequence.stepTokens;
      if (missingTokens(sequence) > 0) continue;
      const one = produce(sequence);
      if (one.finish !== null) this.#finish(sequence);
      produced.push(one);
    }
    this.#running = this.#running.filter((sequence) => sequence.state === "running");
    return produced;
  }

  #admit(take: (sequence: Sequence<Owner>) => boolean): void {
    while (this.#running.length < this.#profile.maxBatch) {
      const next = this.#waiting[0];
      if (next === undefined || !this.#canStart(next)) return;
      this.#waiting.shift();
      next.state = "running";
      this.#running.push(next);
      if (take(next)) continue;
      // The step's prompt tokens are used up: it waits for the next step where it was.
      this.#running.pop();
      this.#waiting.unshift(next);
      next.state = "waiting";
      return;
    }
  }

  /** A newcomer preempts nobody: it waits until its first chunk fits. */
  #canStart(sequence: Sequence<Owner>): boolean {
    const firstTokens = Math.min(missingTokens(sequence), this.#profile.prefillChunkTokens);
    return blocksFor(firstTokens) <= this.#freeBlocks;
  }

  /** Grows the sequence's memory to `tokens`, taking it from the youngest. @returns false when it lost its own. */
  #reserve(sequence: Sequence<Owner>, tokens: number): boolean {
    const needed = blocksFor(tokens) - sequence.blocks;
    while (this.#freeBlocks < needed) {
      const youngest = this.#running.at(-1);
      assert(youngest !== undefined, "a running sequence is in the list");
      this.#preempt(youngest);
      if (youngest === sequence) return false;
    }
    if (needed > 0) {
      this.#freeBlocks -= needed;
      sequence.blocks += needed;
    }
    return true;
  }

  #preempt(sequence: Sequence<Owner>): void {
    this.#running.pop();
    this.#freeBlocks += sequence.blocks;
    sequence.blocks = 0;
    sequence.computedTokens = 0;
    sequence.state = "waiting";
    this.#waiting.unshift(sequence);
    this.preemptionCount += 1;
  }

  #finish(sequence: Sequence<Owner>): void {
    this.#freeBlocks += sequence.blocks;
    sequence.blocks = 0;
    sequence.state = "finished";
  }

  #planOf(step: readonly Sequence<Owner>[], prefillTokens: number): StepPlan {
    const { stepBaseMs, stepPerSequenceMs, prefillTokensPerSecond } = this.#profile;
    let tokens = 0;
    for (const sequence of step) tokens += sequence.stepTokens;
    const durationMs = stepBaseMs + stepPerSequenceMs * step.length + (prefillTokens * 1_000) / prefillTokensPerSecond;
    return { durationMs, tokens, prefillTokens };
  }
}

const blocksFor = (tokens: number): number => Math.ceil(tokens / KV_BLOCK_TOKENS);
const missingTokens = <Owner>({ request, outputTokens, computedTokens }: Sequence<Owner>): number =>
  request.promptTokens + outputTokens - computedTokens;
/** Only the newest token is missing, and it is not a prompt's last. */
const isDecoding = <Owner>(sequence: Sequence<Owner>): boolean => sequence.outputTokens > 0 && missingTokens(sequence) === 1;

function produce<Owner>(sequence: Sequence<Owner>): Produced<Owner> {
  const { request } = sequence;
  const isEndForbidden = request.isEndIgnored || sequence.outputTokens < request.minTokens;
  const id = isEndForbidden ? request.source.nextWithoutEnd() : request.source.next();
  sequence.outputTokens += 1;
  const isStop = !isEndForbidden && (id === END_ID || request.stopIds.includes(id));
  const finish = isStop ? "stop" : sequence.outputTokens >= request.maxTokens ? "length" : null;
  return { sequence, id, finish };
}
