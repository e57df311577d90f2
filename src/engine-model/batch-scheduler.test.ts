import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { createBatchScheduler, type BatchProfile, type BatchScheduler, type SequenceRequest } from "./batch-scheduler.ts";
import { createContextSource, type TokenSource } from "./token-source.ts";

const profile: BatchProfile = {
  maxBatch: 4,
  kvBlocks: 1_000,
  stepBaseMs: 8,
  stepPerSequenceMs: 0.5,
  prefillTokensPerSecond: 10_000,
  prefillChunkTokens: 64,
};

interface Asked {
  readonly promptTokens: number;
  readonly maxTokens: number;
}

function sourceOf(owner: number): TokenSource {
  const sampling = { temperature: 0, seed: null, topP: 1, topK: 0, penalties: [] };
  return createContextSource({ model: "tide-8b", revision: "r1", sampling, choice: 0 }, [owner]);
}

const requestOf = (owner: number, { promptTokens, maxTokens }: Asked): SequenceRequest<number> => ({
  owner,
  promptTokens,
  maxTokens,
  source: sourceOf(owner),
  minTokens: 0,
  isEndIgnored: true,
  stopIds: [],
});

/** Runs until nothing is left, checking every step. @returns the ids of each owner, and all step durations. */
function runAll(
  scheduler: BatchScheduler<number>,
  limits: BatchProfile,
): { readonly answers: Map<number, number[]>; readonly durationsMs: number[] } {
  const answers = new Map<number, number[]>();
  const durationsMs: number[] = [];
  for (let plan = scheduler.beginStep(); plan !== null; plan = scheduler.beginStep()) {
    assert.ok(scheduler.runningCount <= limits.maxBatch);
    assert.ok(scheduler.kvUsageRatio >= 0 && scheduler.kvUsageRatio <= 1);
    assert.ok(plan.prefillTokens <= limits.prefillChunkTokens);
    assert.ok(durationsMs.push(plan.durationMs) < 100_000, "it ends");
    for (const { sequence, id } of scheduler.endStep()) {
      const { owner } = sequence.request;
      const ids = answers.get(owner);
      if (ids === undefined) answers.set(owner, [id]);
      else ids.push(id);
    }
  }
  assert.equal(scheduler.runningCount + scheduler.waitingCount, 0);
  assert.equal(scheduler.kvUsageRatio, 0);
  return { answers, durationsMs };
}

const asks = fc.array(fc.record({ promptTokens: fc.integer({ min: 1, max: 200 }), maxTokens: fc.integer({ min: 1, max: 100 }) }), {
  maxLength: 20,
});

test("within its batch and memory every sequence finishes with all its tokens, however often it is preempted", () => {
  fc.assert(
    fc.property(asks, fc.integer({ min: 19, max: 60 }), (asked, kvBlocks) => {
      const limits = { ...profile, kvBlocks };
      const scheduler = createBatchScheduler<number>(limits);
      for (const [owner, one] of asked.entries()) scheduler.add(requestOf(owner, one));
      const { answers } = runAll(scheduler, limits);
      for (const [owner, { maxTokens }] of asked.entries()) {
        const alone = sourceOf(owner);
        assert.deepEqual(
          answers.get(owner),
          Array.from({ length: maxTokens }, () => alone.nextWithoutEnd()),
        );
      }
    }),
  );
});

test("memory that runs out preempts the youngest, which is computed again", () => {
  const limits = { ...profile, kvBlocks: 6 };
  const scheduler = createBatchScheduler<number>(limits);
  for (const owner of [0, 1]) scheduler.add(requestOf(owner, { promptTokens: 40, maxTokens: 40 }));
  const { answers } = runAll(scheduler, limits);
  assert.equal(scheduler.preemptionCount, 1);
  assert.deepEqual([answers.get(0)?.length, answers.get(1)?.length], [40, 40]);
});

test("a step takes its base, its share for each sequence and the time of its prompt tokens", () => {
  const scheduler = createBatchScheduler<number>(profile);
  scheduler.add(requestOf(0, { promptTokens: 100, maxTokens: 2 }));
  const { durationsMs } = runAll(scheduler, profile);
  assert.deepEqual(durationsMs, [8 + 0.5 + 6.4, 8 + 0.5 + 3.6, 8 + 0.5]);
});

test("chunks of a long prompt share their steps with decodes", () => {
  const scheduler = createBatchScheduler<number>(profile);
  scheduler.add(requestOf(0, { promptTokens: 1, maxTokens: 10 }));
  scheduler.beginStep();
  scheduler.endStep();
  scheduler.add(requestOf(1, { promptTokens: 640, maxTokens: 1 }));
  const producers: number[][] = [];
  for (let plan = scheduler.beginStep(); plan !== null; plan = scheduler.beginStep()) {
    producers.push(scheduler.endStep().map(({ sequence }) => sequence.request.owner));
  }
  assert.deepEqual(producers, [...Array.from({ length: 9 }, () => [0]), [1]]);
});

test("a removed sequence frees its place and memory, also inside a step", () => {
  const scheduler = createBatchScheduler<number>({ ...profile, maxBatch: 1 });
  const first = scheduler.add(requestOf(0, { promptTokens: 10, maxTokens: 10 }));
  const second = scheduler.add(requestOf(1, { promptTokens: 10, maxTokens: 10 }));
  scheduler.beginStep();
  scheduler.remove(first);
  assert.deepEqual(scheduler.endStep(), []);
  scheduler.remove(second);
  scheduler.remove(second);
  assert.equal(scheduler.beginStep(), null);
  assert.equal(scheduler.kvUsageRatio, 0);
});

test("clearing the scheduler cuts every sequence, also inside a step", () => {
  const scheduler = createBatchScheduler<number>({ ...profile, maxBatch: 1 });
  for (const owner of [0, 1]) scheduler.add(requestOf(owner, { promptTokens: 10, maxTokens: 10 }));
  scheduler.beginStep();
  assert.deepEqual(
    scheduler.clear().map(({ request }) => request.owner),
    [0, 1],
  );
  assert.equal(scheduler.beginStep(), null);
});

test("an end before the least length is not chosen, and a stop id ends the answer", () => {
  const ending: TokenSource = { next: () => 0, nextWithoutEnd: () => 99 };
  const scheduler = createBatchScheduler<number>(profile);
  scheduler.add({ ...requestOf(0, { promptTokens: 1, maxTokens: 9 }), source: ending, isEndIgnored: false, minTokens: 2 });
  scheduler.add({
    ...requestOf(1, { promptTokens: 1, maxTokens: 9 }),
    source: { ...ending, next: () => 7 },
    isEndIgnored: false,
    stopIds: [7],
  });
  const finishes: string[] = [];
  while (scheduler.beginStep() !== null) {
    for (const { sequence, id, finish } of scheduler.endStep()) finishes.push(`${sequence.request.owner}:${id}:${finish}`);
  }
  assert.deepEqual(finishes, ["0:99:null", "1:7:stop", "0:99:null", "0:0:stop"]);
});
