import assert from "node:assert/strict";
import { test } from "node:test";
import { HealthyNoise } from "./healthy-noise.ts";
import { HARD_FAULTS } from "./noise-fault.ts";
import { runNoiseScenario } from "./noise-scenario.ts";

const CALM_MS = 300_000;

test("noise of a platform that is well moves, ejects and restarts nobody and loses nothing, and then every kind of hard fault is found in time", async () => {
  const found = new Set<string>();
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= HARD_FAULTS.length; seed += 1) {
    const report = await runNoiseScenario({ seed, calmMs: CALM_MS });
    assert.deepEqual(report.violations, [], `seed ${seed}`);
    for (const fault of Object.keys(report.timesMs)) found.add(fault);
    for (const [name, count] of Object.entries(report.counts)) counts[name] = (counts[name] ?? 0) + count;
  }
  assert.deepEqual([...found].toSorted(), [...HARD_FAULTS].toSorted());
  const { pauses = 0, gaps = 0, jumps = 0, requests = 0 } = counts;
  assert.ok(pauses > 100 && gaps >= 3 && jumps > 10 && requests > 500, JSON.stringify(counts));
});

test("one seed gives one noise", async () => {
  const run = () => runNoiseScenario({ seed: 8, calmMs: 30_000 });
  const [first, again] = [await run(), await run()];
  assert.equal(first.hash, again.hash);
  assert.deepEqual(first.timesMs, again.timesMs);
});

test("noisy steps are log-normal: half within 30 ms, one in a thousand over a second, none over 1.5 s", () => {
  const noise = new HealthyNoise(5);
  const steps = Array.from({ length: 200_000 }, () => noise.stepMs("an-engine/1")).toSorted((left, right) => left - right);
  const median = steps[steps.length / 2] ?? 0;
  const over = steps.filter((ms) => ms > 1_000).length / steps.length;
  assert.ok(Math.abs(median - 30) < 0.5, `${median}`);
  assert.ok(over > 0.000_8 && over < 0.001_2, `${over}`);
  assert.equal(steps.at(-1), 1_500);
});

test("each process has a wall clock of its own, at most an hour wrong", () => {
  const noise = new HealthyNoise(5);
  const offsets = ["gateway-0", "control-plane", "store", "an-engine/1"].map((party) => noise.wallOffsetMs(party));
  assert.equal(new Set(offsets).size, offsets.length);
  for (const offset of offsets) assert.ok(Math.abs(offset) <= 3_600_000 && Math.abs(offset) > 1_000, `${offset}`);
});
