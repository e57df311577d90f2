import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { generation, instanceName, nodeName, uid } from "../base/ids.ts";
import type { LaunchPlan } from "../ports/engine-launcher.ts";
import { completion, createFakeEngine, type FakeAnswers } from "./fake-engine.ts";
import { startDeadlineMs, startInstance } from "./start-instance.ts";

const PLAN: LaunchPlan = {
  instance: instanceName("gold-hot-1"),
  uid: uid("u1"),
  generation: generation(1),
  model: {
    name: "tide-8b",
    engine: "simulated",
    revision: "r1",
    weightsBytes: 12e9,
    contextLength: 8_192,
    tensorParallelSize: 1,
    image: null,
    command: [],
    args: [],
    adapters: [],
  },
  members: [{ node: nodeName("gpu-a"), gpu: 0 }],
  environment: {},
  memoryBytesPerGpu: 40e9,
  load: { link: "disk", bytesPerSecond: 12e9 },
  hostToGpuBytesPerSecond: 54e9,
  isSleepable: false,
};

const loadsUntil =
  (readyAtMs: number, answer: string = completion("tide")): FakeAnswers =>
  ({ target }, nowMs) =>
    target === "/health" ? { status: nowMs >= readyAtMs ? 200 : 503, text: "" } : { status: 200, text: answer };

async function run(answers: FakeAnswers, forMs: number, options: { readonly isLaunchable?: boolean; readonly cancelAtMs?: number } = {}) {
  const clock = createSimulatedClock();
  const engine = createFakeEngine(clock, answers, { isLaunchable: options.isLaunchable ?? true });
  const stages: string[] = [];
  const cancel = new AbortController();
  let outcome: string | null = null;
  let atMs = 0;
  if (options.cancelAtMs !== undefined) clock.after(options.cancelAtMs, () => cancel.abort());
  void startInstance(engine.ports, PLAN, (stage) => stages.push(stage), cancel.signal).then((result) => {
    outcome = result.ok ? result.value : result.error.code;
    atMs = clock.monotonicMs();
  });
  await clock.advance(forMs);
  return { engine, stages, outcome, atMs };
}

test("a start waits for health 200, asks for the known answer and returns it", async () => {
  const { stages, outcome, atMs, engine } = await run(loadsUntil(1_000), 2_000);
  assert.deepEqual([outcome, stages], ["tide", ["launching", "booting", "loading", "verifying"]]);
  assert.ok(atMs < 1_060, `${atMs} ms`);
  assert.equal(engine.asked.at(-1), "POST /v1/completions");
});

test("a start that nobody can launch asks the engine nothing", async () => {
  const { outcome, engine } = await run(loadsUntil(0), 100, { isLaunchable: false });
  assert.deepEqual([outcome, engine.asked.length], ["NOT_LAUNCHED", 0]);
});

test("a start whose health never says 200 fails at its deadline", async () => {
  const deadlineMs = startDeadlineMs(PLAN);
  const { outcome, atMs } = await run(({ target }) => (target === "/health" ? { fails: "REFUSED" } : "silence"), deadlineMs + 1_000);
  assert.equal(outcome, "NOT_READY_IN_TIME");
  assert.ok(atMs >= deadlineMs && atMs < deadlineMs + 100);
});

test("a start whose answer is no answer fails", async () => {
  const { outcome } = await run(loadsUntil(0, "<html>"), 1_000);
  assert.equal(outcome, "NOT_VERIFIED");
});

test("a start whose answer never comes fails after ten seconds", async () => {
  const { outcome, engine } = await run(({ target }) => (target === "/health" ? { status: 200, text: "" } : "silence"), 11_000);
  assert.deepEqual([outcome, engine.aborted], ["NOT_VERIFIED", ["POST /v1/completions"]]);
});

test("a cancelled start ends at once and leaves no call open", async () => {
  const { outcome, atMs, engine } = await run(() => "silence", 1_000, { cancelAtMs: 30 });
  assert.deepEqual([outcome, atMs, engine.aborted], ["START_CANCELLED", 30, ["GET /health"]]);
});
