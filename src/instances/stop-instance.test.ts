import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { instanceName } from "../base/ids.ts";
import { createFakeEngine, FAKE_ADDRESS, metricsPage, type FakeAnswers } from "./fake-engine.ts";
import { DRAIN_MAX_MS, drainInstance, fenceInstance } from "./stop-instance.ts";

const INSTANCE = instanceName("gold-hot-1");

async function drain(answers: FakeAnswers) {
  const clock = createSimulatedClock();
  const engine = createFakeEngine(clock, answers);
  const endedAtMs: number[] = [];
  const of = { instance: INSTANCE, address: FAKE_ADDRESS, engine: "vllm" } as const;
  void drainInstance(engine.ports, of, new AbortController().signal).then(() => endedAtMs.push(clock.monotonicMs()));
  await clock.advance(60_000);
  return { atMs: endedAtMs[0] ?? assert.fail("the drain never ends"), launched: engine.launched };
}

test("a drain waits until nothing runs, twice in a row, then ends with grace", async () => {
  const { atMs, launched } = await drain((_request, nowMs) => ({ status: 200, text: metricsPage(1, nowMs < 3_000 ? 2 : 0) }));
  assert.ok(atMs > 3_200 && atMs < 3_700, `${atMs} ms`);
  assert.deepEqual(launched, ["remove 2000"]);
});

test("a drain of an engine that is never idle ends after thirty seconds", async () => {
  const { atMs } = await drain(() => ({ status: 200, text: metricsPage(1, 1) }));
  assert.ok(atMs >= DRAIN_MAX_MS && atMs < DRAIN_MAX_MS + 500);
});

test("a drain of a dead engine does not wait", async () => {
  assert.ok((await drain(() => ({ fails: "REFUSED" }))).atMs < 10);
});

test("a fence gives no grace", async () => {
  const engine = createFakeEngine(createSimulatedClock(), () => "silence");
  await fenceInstance(engine.ports, INSTANCE, new AbortController().signal);
  assert.deepEqual([engine.launched, engine.asked], [["remove 0"], []]);
});

const fences: readonly {
  readonly name: string;
  readonly held: (nowMs: number) => number | null;
  readonly areGone?: boolean;
  readonly afterMs: number;
}[] = [
  { name: "a fence waits for the bytes of dead processes only a second", held: () => 9e9, areGone: true, afterMs: 1_000 },
  { name: "a fence ends when the driver shows no bytes of it any more", held: (nowMs) => (nowMs < 120 ? 9e9 : 0), afterMs: 125 },
  { name: "a fence of bytes that never come back ends after ten seconds", held: () => 9e9, afterMs: 10_000 },
  { name: "a fence does not wait for a driver that is away", held: () => null, afterMs: 0 },
];
for (const c of fences)
  test(c.name, async () => {
    const clock = createSimulatedClock();
    const engine = createFakeEngine(clock, () => "silence", { held: c.held, areGone: c.areGone ?? false });
    const endedAtMs: number[] = [];
    void fenceInstance(engine.ports, INSTANCE, new AbortController().signal).then(() => endedAtMs.push(clock.monotonicMs()));
    await clock.advance(20_000);
    assert.deepEqual(endedAtMs, [c.afterMs]);
  });
