import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LadderChecker } from "./checker.ts";
import { runLadderScenario } from "./ladder-scenario.ts";
import { shrinkEvents } from "./shrink-events.ts";

test("whichever events a failure needs together, shrinking keeps exactly those, in order", async () => {
  const cases = fc.record({
    count: fc.integer({ min: 1, max: 40 }),
    needed: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ count, needed }) => {
      const all = Array.from({ length: count }, (_, at) => at + 1);
      const must = all.filter((index) => needed.includes(index));
      const shrunk = await shrinkEvents(all, async (events) => must.every((index) => events.includes(index)), 10_000);
      assert.deepEqual([shrunk.events, shrunk.isMinimal], [must, true]);
      assert.ok(shrunk.runs <= 4 * (must.length + 1) * (Math.log2(count) + 2), `${shrunk.runs} runs for ${must.length} of ${count}`);
    }),
    { seed: 4, numRuns: 300 },
  );
});

test("shrinking ends at its limit with what still fails", async () => {
  const shrunk = await shrinkEvents([1, 2, 3, 4, 5, 6, 7, 8], async (events) => events.includes(8), 1);
  assert.deepEqual(shrunk, { events: [5, 6, 7, 8], runs: 1, isMinimal: false });
});

test("a planted bug that two events bring about together shrinks to these two, and they replay it", async () => {
  const load = { seed: 30, loadMs: 8_000, requestsPerSecond: 1 } as const;
  const whole = await runLadderScenario(load);
  const [first, last] = [whole.events[0], whole.events.at(-1)];
  assert.ok(first !== undefined && last !== undefined && whole.events.length >= 3, `${whole.events.length} events`);
  const pair = [first.index, last.index];
  const fails = async (events: readonly number[]): Promise<boolean> => {
    const { violations } = await runLadderScenario({ ...load, events, checkers: [plantedBug(pair)] });
    return violations.some(({ checker }) => checker === "planted");
  };
  const all = whole.events.map(({ index }) => index);
  assert.ok(await fails(all), "the bug is there");
  assert.deepEqual((await shrinkEvents(all, fails, 60)).events, pair);
});

/** Fails once all of these have happened. */
const plantedBug = (indexes: readonly number[]): LadderChecker => ({
  name: "planted",
  look: ({ performed }) => {
    const isThere = indexes.every((index) => performed.some((event) => event.index === index));
    return isThere ? [{ whom: "the world", what: "saw both" }] : [];
  },
});
