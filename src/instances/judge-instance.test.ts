import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { completion, createFakeEngine, FAKE_ADDRESS, metricsPage, type FakeAnswers } from "./fake-engine.ts";
import { hearInstance, JUDGE_MS, judgeInstance, type Judgement } from "./judge-instance.ts";

const AT = { address: FAKE_ADDRESS, engine: "vllm", model: { name: "tide-8b" } } as const;

async function judge(answers: FakeAnswers, look: "judge" | "hear" = "judge") {
  const clock = createSimulatedClock();
  const engine = createFakeEngine(clock, answers);
  const { signal } = new AbortController();
  const found: { readonly judgement: Judgement; readonly atMs: number }[] = [];
  const judged = look === "judge" ? judgeInstance(engine.ports, AT, signal) : hearInstance(engine.ports, FAKE_ADDRESS, signal);
  void judged.then((judgement) => found.push({ judgement, atMs: clock.monotonicMs() }));
  await clock.advance(5_000);
  return { ...(found[0] ?? assert.fail("no judgement")), engine };
}
const metrics =
  (page: (nowMs: number) => string): FakeAnswers =>
  ({ target }, nowMs) =>
    target === "/metrics" ? { status: 200, text: page(nowMs) } : "silence";

const cases: readonly { readonly name: string; readonly answers: FakeAnswers; readonly verdict: string; readonly withinMs: number }[] = [
  {
    name: "a busy engine whose steps go on is alive although its answer takes long",
    answers: metrics((nowMs) => metricsPage(Math.floor(nowMs / 150), 64)),
    verdict: "alive",
    withinMs: 300,
  },
  {
    name: "an engine that steps once in 700 ms is alive",
    answers: metrics((nowMs) => metricsPage(Math.floor(nowMs / 700), 64)),
    verdict: "alive",
    withinMs: 1_000,
  },
  {
    name: "an idle engine that gives the known answer is alive",
    answers: ({ target }) =>
      target === "/metrics" ? { status: 200, text: metricsPage(5, 0) } : { status: 200, text: completion("tide"), afterMs: 120 },
    verdict: "alive",
    withinMs: 130,
  },
  {
    name: "an engine without a progress counter that generates is alive",
    answers: ({ target }) => (target === "/metrics" ? { status: 404, text: "" } : { status: 200, text: completion("tide"), afterMs: 120 }),
    verdict: "alive",
    withinMs: 130,
  },
  {
    name: "an engine that answers and makes no step for a second is dead",
    answers: metrics(() => metricsPage(5, 3)),
    verdict: "dead",
    withinMs: 1_300,
  },
  { name: "an engine that says nothing for a second is dead", answers: () => "silence", verdict: "dead", withinMs: 1_500 },
  { name: "an engine that refuses for a second is dead", answers: () => ({ fails: "REFUSED" }), verdict: "dead", withinMs: 1_300 },
];
for (const c of cases) {
  test(c.name, async () => {
    const { judgement, atMs } = await judge(c.answers);
    assert.equal(judgement.verdict, c.verdict, judgement.detail);
    assert.ok(atMs <= c.withinMs, `${atMs} ms`);
    if (c.verdict === "dead") assert.ok(atMs >= JUDGE_MS, "nobody is condemned in less than a second");
  });
}

test("a judgement leaves no call open", async () => {
  const { engine } = await judge(metrics((nowMs) => metricsPage(Math.floor(nowMs / 150), 64)));
  assert.deepEqual(engine.aborted, ["POST /v1/completions"]);
});

test("a heartbeat hears an engine that is healthy, and only after three seconds none that is silent", async () => {
  const well = await judge(() => ({ status: 200, text: "" }), "hear");
  assert.deepEqual([well.judgement.verdict, well.atMs], ["alive", 1]);
  const silent = await judge(() => "silence", "hear");
  assert.deepEqual([silent.judgement.verdict, silent.atMs], ["dead", 3_000]);
});
