import assert from "node:assert/strict";
import { test } from "node:test";
import { isAllowedCut, isCounted, isLost, judgeRound, measure, placeOf, type EngineModel, type FaultWindow } from "./judge.ts";
import { fakeRecord } from "./fake-record.ts";
import type { RequestRecord } from "./request-record.ts";

const fault: FaultWindow = { atMs: 1_000, instance: "s-hot-1", untilMs: 4_000, resumedAtMs: null };
const model: EngineModel = {
  profile: { batchMax: 64, stepBaseMs: 8, stepPerSequenceMs: 0.05, prefillTokensPerSecond: 100_000, prefillChunkTokens: 1_000 },
  survivor: { stepMs: 10, batch: 40 },
};
const request = (changes: Partial<RequestRecord>): RequestRecord =>
  fakeRecord({
    promptTokens: 1_000,
    maxTokens: 4,
    endedAtMs: 1_300,
    tokenTimesMs: [1_200, 1_210, 1_220, 1_230],
    instance: "s-hot-2",
    ...changes,
  });

const places: readonly { name: string; record: RequestRecord; place: ReturnType<typeof placeOf> }[] = [
  {
    name: "a stream that the failed engine had begun is mid-stream",
    record: request({ instance: "s-hot-1", tokenTimesMs: [950, 1_001] }),
    place: "mid-stream",
  },
  { name: "a stream of the other engine is not affected", record: request({ tokenTimesMs: [950, 1_001] }), place: null },
  { name: "a request answered at its second attempt is affected", record: request({ attempts: 2 }), place: "before-first-byte" },
  {
    name: "a request first tried on the failed engine after the fault is affected",
    record: request({ arrivedAtMs: 1_100, attempts: 2 }),
    place: "before-first-byte",
  },
  { name: "a request that ended before the fault is not affected", record: request({ endedAtMs: 999, attempts: 2 }), place: null },
  {
    name: "a request of the next round is not affected",
    record: request({ arrivedAtMs: 4_000, endedAtMs: 4_500, attempts: 2 }),
    place: null,
  },
  {
    name: "a request that came after the fault and met the next one belongs to the next",
    record: request({ arrivedAtMs: 3_500, endedAtMs: 4_500, attempts: 2, tokenTimesMs: [4_100] }),
    place: null,
  },
  {
    name: "a failed request across the fault is affected",
    record: request({ outcome: "error-status", instance: null, attempts: null, tokenTimesMs: [] }),
    place: "before-first-byte",
  },
  {
    name: "an answer of the failed engine that was on its way is affected",
    record: request({ instance: "s-hot-1", isStream: false, tokenTimesMs: [], endedAtMs: 1_002 }),
    place: "before-first-byte",
  },
  {
    name: "an answer of the restarted engine is not affected",
    record: request({ instance: "s-hot-1", arrivedAtMs: 2_500, endedAtMs: 2_900, tokenTimesMs: [2_600] }),
    place: null,
  },
  {
    name: "a cut stream whose first bytes were on their way is mid-stream",
    record: request({ instance: "s-hot-1", outcome: "error-event", tokenTimesMs: [1_001] }),
    place: "mid-stream",
  },
];
for (const { name, record, place } of places) test(name, () => assert.equal(placeOf(record, fault), place));

test("a request that waited for a continued engine is affected", () => {
  const record = request({ instance: "s-hot-1", arrivedAtMs: 1_500, endedAtMs: 3_100, tokenTimesMs: [3_050] });
  assert.equal(placeOf(record, { ...fault, resumedAtMs: 3_000 }), "before-first-byte");
});

test("recovery runs from the fault to the next good token less the prompt's prefill", () => {
  const affected = measure(request({ attempts: 2 }), fault, model);
  // One chunk: a step of 8 + 0.05 x 40 ms and 1,000 tokens at 100,000 a second.
  assert.deepEqual([affected?.waitMs, affected?.recoveryMs], [200, 180]);
});

test("recovery runs from the arrival when that is later than the fault", () => {
  assert.equal(measure(request({ attempts: 2, arrivedAtMs: 1_150 }), fault, model)?.waitMs, 50);
});

test("recovery of a cut stream runs to its error event", () => {
  const record = request({ instance: "s-hot-1", outcome: "error-event", tokenTimesMs: [900, 990], endedAtMs: 1_040 });
  assert.deepEqual(measure(record, fault, model)?.recoveryMs, 40);
});

test("recovery of a whole answer is less the modelled decode time", () => {
  const record = request({ isStream: false, tokenTimesMs: [], attempts: 2, maxTokens: 11, endedAtMs: 1_200 });
  assert.equal(measure(record, fault, model)?.recoveryMs, 80);
});

test("a request that was refused at once never recovers", () => {
  const refused = request({ outcome: "error-status", instance: null, attempts: null, tokenTimesMs: [], endedAtMs: 1_002 });
  const silent = request({ instance: "s-hot-1", outcome: "truncated", tokenTimesMs: [950], endedAtMs: 1_002 });
  for (const record of [refused, silent]) assert.equal(measure(record, fault, model)?.recoveryMs, Number.POSITIVE_INFINITY);
});

test("recovery is never negative", () => {
  const record = request({ isStream: false, tokenTimesMs: [], attempts: 2, maxTokens: 128, endedAtMs: 1_200 });
  assert.equal(measure(record, fault, model)?.recoveryMs, 0);
});

test("only the error event of a begun stream of the failed engine is no loss", () => {
  const cut = request({ instance: "s-hot-1", outcome: "error-event", tokenTimesMs: [900] });
  const silent = request({ instance: "s-hot-1", outcome: "truncated", tokenTimesMs: [900] });
  const elsewhere = request({ instance: "s-hot-2", outcome: "error-event", tokenTimesMs: [900] });
  const refused = request({ instance: null, outcome: "error-status", tokenTimesMs: [] });
  assert.equal(isAllowedCut(cut, [fault]), true);
  assert.deepEqual(
    [cut, silent, elsewhere, refused].map((record) => isLost(record, [fault])),
    [false, true, true, true],
  );
});

test("a round counts with three affected before the first byte and three mid-stream", () => {
  const waiting = [1, 2, 3].map((id) => request({ id, attempts: 2 }));
  const begun = [4, 5, 6].map((id) => request({ id, instance: "s-hot-1", outcome: "error-event", tokenTimesMs: [900] }));
  const whole = judgeRound([...waiting, ...begun, request({ id: 7 })], fault, model);
  assert.deepEqual([whole.beforeFirstByte, whole.midStream, isCounted(whole, true)], [3, 3, true]);
  assert.equal(isCounted(judgeRound([...waiting, ...begun.slice(1)], fault, model), true), false);
  assert.equal(isCounted(judgeRound(waiting, fault, model), false), true);
});
