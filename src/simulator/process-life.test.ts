import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { testClockContract } from "../ports/clock-contract.ts";
import { ProcessLife } from "./process-life.ts";

testClockContract("process life", () => {
  const clock = createSimulatedClock();
  return { clock: new ProcessLife(clock).clock, pass: (durationMs) => clock.advance(durationMs) };
});

test("nothing happens in a paused process; afterwards all that waited comes, oldest first, and time has gone on", async () => {
  const clock = createSimulatedClock();
  const life = new ProcessLife(clock);
  const seen: string[] = [];
  const note = (what: string): void => void seen.push(`${what} at ${clock.monotonicMs()}`);
  life.clock.after(10, () => note("a"));
  life.clock.after(20, () => note("b"));
  life.clock.after(5, () => assert.fail("it was taken back")).cancel();
  const late = life.clock.after(30, () => assert.fail("it was taken back while it waited"));
  void life.clock.sleep(25, new AbortController().signal).then(() => note("slept"));
  let pausedMs = 0;
  life.onResume((lengthMs) => (pausedMs = lengthMs));
  await clock.advance(1);
  life.pause();
  void life.answer(Promise.resolve("answer")).then(note);
  await clock.advance(99);
  life.run(() => note("told"));
  assert.deepEqual(seen, []);
  late.cancel();
  life.resume();
  life.clock.after(0, () => note("later"));
  await clock.advance(0);
  assert.deepEqual(
    seen,
    ["answer", "a", "b", "slept", "told", "later"].map((what) => `${what} at 100`),
  );
  assert.equal(pausedMs, 99);
});

test("a process that is paused again before all came keeps the rest waiting", async () => {
  const clock = createSimulatedClock();
  const life = new ProcessLife(clock);
  const seen: number[] = [];
  life.pause();
  for (const index of [1, 2, 3]) {
    life.run(() => {
      seen.push(index);
      if (index === 1) life.pause();
    });
  }
  life.resume();
  await clock.advance(50);
  assert.deepEqual(seen, [1]);
  life.resume();
  await clock.advance(0);
  assert.deepEqual(seen, [1, 2, 3]);
});

test("nothing comes to a dead process, and its end is told once", async () => {
  const clock = createSimulatedClock();
  const life = new ProcessLife(clock);
  let ends = 0;
  life.onEnd(() => (ends += 1));
  const heard = (): void => assert.fail("the dead hear nothing");
  life.clock.after(10, heard);
  void life.answer(clock.sleep(5, new AbortController().signal)).then(heard);
  life.pause();
  life.run(heard);
  life.end();
  life.end();
  life.resume();
  life.run(heard);
  await clock.advance(100);
  assert.equal(ends, 1);
});
