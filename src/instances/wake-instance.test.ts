import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import type { EngineKind } from "../api/hot-standby-config.ts";
import { completion, createFakeEngine, FAKE_ADDRESS, metricsPage, type FakeAnswer, type FakeAnswers } from "./fake-engine.ts";
import { wakeInstance } from "./wake-instance.ts";

/** Sleeps until `wakeMs` after the first wake call; what it then answers is `answer`. */
function sleeper(options: {
  readonly wakeMs?: number;
  readonly wake?: FakeAnswer;
  readonly answer?: string;
  readonly isAwake?: boolean;
  /** Its answer is right, but its counter stands still. */
  readonly isHung?: boolean;
  /** What its metrics page says instead once it has answered the known question. */
  readonly pageAfter?: readonly FakeAnswer[];
}): FakeAnswers {
  let steps = 5;
  let pagesAfter = 0;
  let hasAnswered = false;
  let awakeAtMs = options.isAwake === true ? 0 : Number.POSITIVE_INFINITY;
  return ({ target }, nowMs) => {
    if (target === "/is_sleeping") return { status: 200, text: JSON.stringify({ is_sleeping: nowMs < awakeAtMs }) };
    if (target === "/wake_up") {
      awakeAtMs = Math.min(awakeAtMs, nowMs + (options.wakeMs ?? 300));
      return options.wake ?? { status: 200, text: "" };
    }
    if (target === "/metrics") {
      const instead = hasAnswered ? options.pageAfter?.[Math.min(pagesAfter, options.pageAfter.length - 1)] : undefined;
      pagesAfter += hasAnswered ? 1 : 0;
      return instead ?? { status: 200, text: metricsPage(steps, 0) };
    }
    hasAnswered = true;
    if (options.isHung !== true) steps += 8;
    return { status: 200, text: completion(options.answer ?? "tide") };
  };
}

async function wake(answers: FakeAnswers, options: { readonly engine?: EngineKind; readonly callers?: number } = {}) {
  const clock = createSimulatedClock();
  const fake = createFakeEngine(clock, answers);
  const target = { address: FAKE_ADDRESS, engine: options.engine ?? "vllm", model: { name: "tide-8b" }, expected: "tide" } as const;
  const outcomes: string[] = [];
  for (let caller = 0; caller < (options.callers ?? 1); caller += 1) {
    void wakeInstance(fake.ports, target, 2_000, new AbortController().signal).then((result) => {
      outcomes.push(`${result.ok ? result.value : result.error.code} at ${clock.monotonicMs() < 1_000 ? "once" : "last"}`);
    });
  }
  await clock.advance(5_000);
  return { outcomes, asked: fake.asked };
}

const cases = [
  { name: "a wake is over when the engine says awake and gives the known answer", answers: sleeper({}), expected: "tide at once" },
  { name: "a wake with a wrong answer is no wake", answers: sleeper({ answer: "!!!!" }), expected: "WRONG_AFTER_WAKE at once" },
  { name: "a wake that the engine refuses fails", answers: sleeper({ wake: { status: 500, text: "" } }), expected: "NOT_AWAKE at once" },
  { name: "a wake that cuts the connection fails", answers: sleeper({ wake: { fails: "RESET" } }), expected: "NOT_AWAKE at once" },
  {
    name: "a right answer during which no step was made is no wake",
    answers: sleeper({ isHung: true }),
    expected: "WRONG_AFTER_WAKE at once",
  },
  {
    name: "a page that never comes after a right answer contradicts nothing",
    answers: sleeper({ pageAfter: ["silence"] }),
    expected: "tide at last",
  },
  {
    name: "nor does a page that is refused",
    answers: sleeper({ pageAfter: [{ fails: "REFUSED" }] }),
    expected: "tide at once",
  },
  {
    name: "nor one that stood still a moment after the answer and never came again",
    answers: sleeper({ pageAfter: [{ status: 200, text: metricsPage(5, 0) }, "silence"] }),
    expected: "tide at last",
  },
  {
    name: "a page that is read late and stands still does",
    answers: sleeper({ pageAfter: ["silence", "silence", { status: 200, text: metricsPage(5, 0) }] }),
    expected: "WRONG_AFTER_WAKE at once",
  },
  {
    name: "an engine that answers 200 to the wake and sleeps on fails at the deadline",
    answers: sleeper({ wakeMs: 1e9 }),
    expected: "NOT_AWAKE at last",
  },
];
for (const c of cases) test(c.name, async () => assert.deepEqual((await wake(c.answers)).outcomes, [c.expected]));

test("an engine that is awake is not woken, only verified", async () => {
  const { outcomes, asked } = await wake(sleeper({ isAwake: true }));
  assert.deepEqual([outcomes, asked], [["tide at once"], ["GET /is_sleeping", "GET /metrics", "POST /v1/completions", "GET /metrics"]]);
});

test("two callers of one wake both get the known answer", async () => {
  const { outcomes } = await wake(sleeper({}), { callers: 2 });
  assert.deepEqual(outcomes, ["tide at once", "tide at once"]);
});

test("an engine that never sleeps is not woken", async () => {
  assert.deepEqual((await wake(sleeper({}), { engine: "llama.cpp" })).outcomes, ["CANNOT_SLEEP at once"]);
});
