import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { testClockContract } from "../../ports/clock-contract.ts";
import { createSeededRandom } from "../random/simulated.ts";
import { createSimulatedClock } from "./simulated.ts";

testClockContract("simulated", () => {
  const clock = createSimulatedClock();
  return { clock, pass: (durationMs) => clock.advance(durationMs) };
});

test("the simulated clock fires in order of time, then of request, whatever was cancelled", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ delayMs: fc.nat(20), isCancelled: fc.boolean() }), { maxLength: 40 }), async (asked) => {
      const clock = createSimulatedClock();
      const fired: { readonly index: number; readonly atMs: number }[] = [];
      for (const [index, { delayMs, isCancelled }] of asked.entries()) {
        const timer = clock.after(delayMs, () => fired.push({ index, atMs: clock.monotonicMs() }));
        if (isCancelled) timer.cancel();
      }
      await clock.advance(20);
      const expected = asked
        .map(({ delayMs, isCancelled }, index) => ({ index, atMs: delayMs, isCancelled }))
        .filter((one) => !one.isCancelled);
      expected.sort((a, b) => a.atMs - b.atMs || a.index - b.index);
      assert.deepEqual(
        fired,
        expected.map(({ index, atMs }) => ({ index, atMs })),
      );
    }),
    { numRuns: 50 },
  );
});

test("the simulated clock lets a chain of promises settle before time goes on", async () => {
  const clock = createSimulatedClock(1_000);
  const seenMs: number[] = [];
  const walk = async (): Promise<void> => {
    await clock.sleep(10, new AbortController().signal);
    for (let step = 0; step < 1_000; step += 1) await Promise.resolve();
    seenMs.push(clock.monotonicMs());
    await clock.sleep(5, new AbortController().signal);
    seenMs.push(clock.monotonicMs());
  };
  void walk();
  clock.after(11, () => seenMs.push(-1));
  await clock.advance(100);
  assert.deepEqual(seenMs, [1_010, -1, 1_015]);
  assert.equal(clock.monotonicMs(), 1_100);
});

test("the simulated clock tells when its next timer is due and stops at the end of an advance", async () => {
  const clock = createSimulatedClock();
  assert.equal(clock.nextDueMs(), null);
  const early = clock.after(5, () => assert.fail("it was taken back"));
  let fired = 0;
  clock.after(8, () => (fired += 1));
  assert.equal(clock.nextDueMs(), 5);
  early.cancel();
  assert.equal(clock.nextDueMs(), 8);
  await clock.advance(7.5);
  assert.deepEqual([fired, clock.monotonicMs()], [0, 7.5]);
  await clock.advance(0.5);
  assert.equal(fired, 1);
});

test("a second advance of the simulated clock while one runs is a mistake", async () => {
  const clock = createSimulatedClock();
  const first = clock.advance(1);
  await assert.rejects(clock.advance(1), /one advance/);
  await first;
  assert.equal(clock.monotonicMs(), 1);
});

test("who is due at the same instant comes in an order drawn from the seed, and time still comes first", async () => {
  const orderOf = async (seed: number): Promise<string> => {
    const clock = createSimulatedClock(0, createSeededRandom(seed));
    let fired = "";
    for (const [index, delayMs] of [5, 5, 5, 5, 5, 5, 1, 9].entries()) clock.after(delayMs, () => (fired += index));
    await clock.advance(10);
    return fired;
  };
  const orders = new Set<string>();
  for (let seed = 1; seed <= 30; seed += 1) orders.add(await orderOf(seed));
  assert.equal(await orderOf(1), await orderOf(1));
  assert.ok(orders.size > 25, `${orders.size} orders of 30 seeds`);
  for (const order of orders) assert.match(order, /^6[0-5]{6}7$/);
});

test("a timer of the simulated clock that throws ends its advance, and the next advance goes on", async () => {
  const clock = createSimulatedClock();
  let fired = 0;
  clock.after(1, () => assert.fail("broken"));
  clock.after(2, () => (fired += 1));
  await assert.rejects(clock.advance(5), /broken/);
  await clock.advance(5);
  assert.deepEqual([fired, clock.monotonicMs()], [1, 6]);
});
