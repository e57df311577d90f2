import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createFakeEngine, FAKE_ADDRESS, type FakeAnswer } from "./fake-engine.ts";
import { restCheck } from "./rest-check.ts";

const cases: readonly { readonly name: string; readonly answer: FakeAnswer; readonly verdict: string }[] = [
  { name: "a sleeping engine is asleep at a rest check", answer: { status: 200, text: '{"is_sleeping":true}' }, verdict: "asleep" },
  {
    name: "an engine that somebody woke is alive at a rest check",
    answer: { status: 200, text: '{"is_sleeping":false}' },
    verdict: "alive",
  },
  { name: "an engine that refuses is dead at a rest check", answer: { fails: "REFUSED" }, verdict: "dead" },
  { name: "an engine that says nothing is dead at a rest check", answer: "silence", verdict: "dead" },
];
for (const c of cases)
  test(c.name, async () => {
    const clock = createSimulatedClock();
    const engine = createFakeEngine(clock, () => c.answer);
    const verdicts: string[] = [];
    const of = { address: FAKE_ADDRESS, engine: "vllm" } as const;
    void restCheck(engine.ports, of, new AbortController().signal).then(({ verdict }) => verdicts.push(verdict));
    await clock.advance(4_000);
    assert.deepEqual([verdicts, engine.asked], [[c.verdict], ["GET /is_sleeping"]]);
  });
