import assert from "node:assert/strict";
import { test } from "node:test";
import {
  capacityPerSecond,
  modelledDecodeMs,
  modelledPrefillMs,
  profileOfArguments,
  steadyState,
  survivorLoadRatio,
} from "./engine-profile.ts";
import { draw, gapMs, longPromptMix, meanPromptTokens, usualMix } from "./mix.ts";
import { seeded } from "./seeded.ts";
import { percentile } from "./statistics.ts";

const profile = profileOfArguments(["--max-num-seqs", "64", "--step-per-sequence-ms", "0", "--prefill-tokens-per-second", "1000000"]);

test("an engine profile is read from a manifest's arguments and the engine's defaults", () => {
  assert.deepEqual(profile, {
    batchMax: 64,
    stepBaseMs: 8,
    stepPerSequenceMs: 0,
    prefillTokensPerSecond: 1_000_000,
    prefillChunkTokens: 2_048,
  });
});

test("capacity counts decode and prefill of the mean request", () => {
  // 72 tokens x 8 ms / 64 = 9 ms, and 1,420.8 prompt tokens = 1.42 ms.
  assert.equal(capacityPerSecond(profile, usualMix).toFixed(1), "96.0");
  assert.equal(survivorLoadRatio(profile, usualMix, 50).toFixed(2), "0.52");
});

test("the steady batch is what arrives during one step", () => {
  const steady = steadyState(profile, usualMix, 50);
  assert.equal(steady.stepMs.toFixed(2), (8 / (1 - 0.07104)).toFixed(2));
  assert.equal(steady.batch.toFixed(3), (3.6 * steady.stepMs).toFixed(3));
});

test("a long prompt's prefill takes the steps of its chunks", () => {
  const steady = { stepMs: 9, batch: 10 };
  assert.equal(modelledPrefillMs(profile, 4_096, steady), 2 * 8 + 4.096);
  assert.equal(modelledDecodeMs(11, steady), 90);
});

test("the mix draws its ratios and stays in its bounds", () => {
  const chance = seeded(7);
  const asks = Array.from({ length: 20_000 }, () => draw(longPromptMix, chance));
  const ratioOf = (holds: (ask: (typeof asks)[number]) => boolean): number => asks.filter(holds).length / asks.length;
  assert.ok(Math.abs(ratioOf((ask) => ask.isStream) - 0.6) < 0.02);
  assert.ok(Math.abs(ratioOf((ask) => ask.promptTokens === 32_768) - 0.01) < 0.003);
  assert.ok(asks.every((ask) => ask.maxTokens >= 16 && ask.maxTokens <= 128));
  assert.ok(Math.abs(meanPromptTokens(longPromptMix) - (1_420.8 * 0.99 + 327.68)) < 0.01);
});

test("arrivals of the bench repeat with their seed and keep their mean rate", () => {
  const gaps = (seed: number): number[] => {
    const chance = seeded(seed);
    return Array.from({ length: 5_000 }, () => gapMs(50, chance));
  };
  assert.deepEqual(gaps(3), gaps(3));
  assert.notDeepEqual(gaps(3), gaps(4));
  const mean = gaps(3).reduce((total, gap) => total + gap, 0) / 5_000;
  assert.ok(Math.abs(mean - 20) < 1);
});

test("a percentile is the nearest rank", () => {
  assert.equal(percentile([], 0.99), null);
  assert.equal(percentile([5], 0.99), 5);
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual([percentile(hundred, 0.99), percentile(hundred, 0.5), percentile(hundred, 1)], [99, 50, 100]);
});
