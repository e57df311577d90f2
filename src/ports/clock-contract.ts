import { test } from "node:test";
import assert from "node:assert/strict";
import type { Clock } from "./clock.ts";

/** A clock, and how its time is made to pass: by itself, or by the test. */
export interface ClockUnderTest {
  readonly clock: Clock;
  /** Resolves when at least `durationMs` went by. */
  readonly pass: (durationMs: number) => Promise<void>;
}

// 2025 and 2100.
const PLAUSIBLE_WALL_MS = { from: 1_735_689_600_000, to: 4_102_444_800_000 } as const;

/** What every Clock promises. */
export function testClockContract(adapter: string, make: () => ClockUnderTest): void {
  testTimers(adapter, make);
  testSleepAndNow(adapter, make);
}

function testTimers(adapter: string, make: () => ClockUnderTest): void {
  test(`${adapter} clock: a timer fires once, after its delay, and not inside after()`, async () => {
    const { clock, pass } = make();
    const startMs = clock.monotonicMs();
    const firedAtMs: number[] = [];
    clock.after(5, () => firedAtMs.push(clock.monotonicMs()));
    assert.deepEqual(firedAtMs, []);
    await pass(30);
    assert.equal(firedAtMs.length, 1);
    assert.ok((firedAtMs[0] ?? 0) >= startMs + 5, "a timer is never early");
  });

  test(`${adapter} clock: a timer without delay fires later too`, async () => {
    const { clock, pass } = make();
    const order: string[] = [];
    clock.after(0, () => order.push("fired"));
    clock.after(-5, () => order.push("fired, asked for the past"));
    order.push("after() returned");
    await pass(20);
    assert.deepEqual(order.toSorted(), ["after() returned", "fired", "fired, asked for the past"]);
    assert.equal(order[0], "after() returned");
  });

  test(`${adapter} clock: a timer that was taken back stays silent, and may be taken back twice and late`, async () => {
    const { clock, pass } = make();
    let firedCount = 0;
    const kept = clock.after(1, () => (firedCount += 1));
    const cancelled = clock.after(1, () => (firedCount += 100));
    cancelled.cancel();
    cancelled.cancel();
    await pass(20);
    kept.cancel();
    assert.equal(firedCount, 1);
  });

  test(`${adapter} clock: a delay of two months does not fire at once`, async () => {
    const { clock, pass } = make();
    let hasFired = false;
    const timer = clock.after(60 * 24 * 3_600_000, () => (hasFired = true));
    await pass(20);
    timer.cancel();
    assert.equal(hasFired, false);
  });
}

function testSleepAndNow(adapter: string, make: () => ClockUnderTest): void {
  test(`${adapter} clock: sleep takes its time`, async () => {
    const { clock, pass } = make();
    const startMs = clock.monotonicMs();
    const asleep = clock.sleep(5, new AbortController().signal);
    await Promise.all([asleep, pass(20)]);
    assert.ok(clock.monotonicMs() >= startMs + 5);
  });

  test(`${adapter} clock: sleep ends at once and without an error when its signal is aborted, before or meanwhile`, async () => {
    const { clock } = make();
    const controller = new AbortController();
    const meanwhile = clock.sleep(3_600_000, controller.signal);
    controller.abort();
    await meanwhile;
    await clock.sleep(3_600_000, controller.signal);
    assert.equal(controller.signal.aborted, true);
  });

  test(`${adapter} clock: monotonic time never falls and wall time is in milliseconds since 1970`, async () => {
    const { clock, pass } = make();
    const firstMs = clock.monotonicMs();
    await pass(5);
    assert.ok(clock.monotonicMs() > firstMs);
    assert.ok(Number.isInteger(clock.wallMs()));
    assert.ok(clock.wallMs() > PLAUSIBLE_WALL_MS.from && clock.wallMs() < PLAUSIBLE_WALL_MS.to);
  });
}
