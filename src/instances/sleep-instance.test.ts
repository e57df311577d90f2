import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { instanceName } from "../base/ids.ts";
import { createFakeEngine, FAKE_ADDRESS, metricsPage, type FakeAnswers } from "./fake-engine.ts";
import { sleepInstance } from "./sleep-instance.ts";

/** Busy until `idleAtMs`; says that it sleeps after the call, unless it lies; frees its memory `freedAfterMs` later. */
function engineThat(options: {
  readonly idleAtMs?: number;
  readonly freedAfterMs?: number;
  readonly status?: number;
  readonly sleepsOn?: false;
}) {
  let asleepAtMs = Number.POSITIVE_INFINITY;
  const answers: FakeAnswers = ({ target }, nowMs) => {
    if (target === "/metrics") return { status: 200, text: metricsPage(1, nowMs < (options.idleAtMs ?? 0) ? 2 : 0) };
    if (target === "/is_sleeping") return { status: 200, text: JSON.stringify({ is_sleeping: nowMs >= asleepAtMs }) };
    if (options.sleepsOn !== false) asleepAtMs = nowMs;
    return { status: options.status ?? 200, text: "" };
  };
  return { answers, held: (nowMs: number) => (nowMs >= asleepAtMs + (options.freedAfterMs ?? 0) ? 1e9 : 30e9) };
}

async function sleep({ answers, held }: ReturnType<typeof engineThat>, times: number = 1) {
  const clock = createSimulatedClock();
  const engine = createFakeEngine(clock, answers, { held });
  const outcomes: string[] = [];
  const of = { instance: instanceName("gold-hot-1"), address: FAKE_ADDRESS, engine: "vllm" } as const;
  for (let time = 0; time < times; time += 1) {
    void sleepInstance(engine.ports, of, new AbortController().signal).then((slept) =>
      outcomes.push(slept.ok ? "asleep" : slept.error.code),
    );
    await clock.advance(60_000);
  }
  return { outcomes, sleeps: engine.asked.filter((asked) => asked.startsWith("POST /sleep")).length };
}

const cases = [
  { name: "an idle engine is put to sleep", engine: engineThat({}), outcome: "asleep", sleeps: 1 },
  { name: "an engine is put to sleep when its streams have ended", engine: engineThat({ idleAtMs: 4_000 }), outcome: "asleep", sleeps: 1 },
  { name: "an engine that is never idle is not put to sleep", engine: engineThat({ idleAtMs: 1e9 }), outcome: "BUSY", sleeps: 0 },
  { name: "a sleep waits for memory that comes free late", engine: engineThat({ freedAfterMs: 2_000 }), outcome: "asleep", sleeps: 1 },
  { name: "a sleep that frees no memory has failed", engine: engineThat({ freedAfterMs: 1e9 }), outcome: "MEMORY_NOT_FREE", sleeps: 1 },
  { name: "a sleep that the engine refuses has failed", engine: engineThat({ status: 500 }), outcome: "NOT_ASLEEP", sleeps: 1 },
  { name: "a sleep that leaves the engine awake has failed", engine: engineThat({ sleepsOn: false }), outcome: "NOT_ASLEEP", sleeps: 1 },
];
for (const c of cases) test(c.name, async () => assert.deepEqual(await sleep(c.engine), { outcomes: [c.outcome], sleeps: c.sleeps }));

test("a sleep that is repeated does nothing", async () => {
  assert.deepEqual(await sleep(engineThat({}), 2), { outcomes: ["asleep", "asleep"], sleeps: 1 });
});
