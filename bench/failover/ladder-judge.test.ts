import assert from "node:assert/strict";
import { test } from "node:test";
import type { EngineModel } from "./judge.ts";
import { isLostOnLadder, judgeOutage, refusalWaitsMs, servedAgainAtMs, type Outage } from "./ladder-judge.ts";
import { fakeRecord } from "./fake-record.ts";
import type { RequestRecord } from "./request-record.ts";

const outage: Outage = { atMs: 1_000, untilMs: 5_000 };
const model: EngineModel = {
  profile: { batchMax: 64, stepBaseMs: 10, stepPerSequenceMs: 0, prefillTokensPerSecond: 100_000, prefillChunkTokens: 1_000 },
  survivor: { stepMs: 10, batch: 10 },
};
let ids = 0;
const request = (changes: Partial<RequestRecord>): RequestRecord =>
  fakeRecord({
    id: (ids += 1),
    promptTokens: 1_000,
    maxTokens: 4,
    arrivedAtMs: 1_100,
    endedAtMs: 1_440,
    tokenTimesMs: [1_400, 1_410, 1_420, 1_430],
    instance: "s-warm-1",
    level: "warm",
    ...changes,
  });
const refused = request({
  outcome: "error-status",
  status: 503,
  retryAfterSeconds: 2,
  tokenTimesMs: [],
  endedAtMs: 2_600,
  instance: null,
  level: null,
});
const cut = request({ arrivedAtMs: 900, tokenTimesMs: [950, 990], endedAtMs: 1_005, outcome: "error-event", level: "hot" });

test("an outage ends with the first token of a request that arrived after it, not with late bytes of the dead", () => {
  const late = request({ arrivedAtMs: 990, tokenTimesMs: [1_001, 1_002, 1_003, 1_004], endedAtMs: 1_005 });
  assert.equal(servedAgainAtMs([late, request({}), request({ tokenTimesMs: [1_350] })], outage, model), 1_350);
  assert.equal(servedAgainAtMs([late, refused], outage, model), null);
});

test("a whole answer tells when it was begun by its modelled decode time", () => {
  const whole = request({ isStream: false, tokenTimesMs: [], endedAtMs: 1_440, maxTokens: 5 });
  assert.equal(servedAgainAtMs([whole], outage, model), 1_400);
});

test("whoever answers it, a request that arrives before anybody serves again is affected by the outage", () => {
  const early = request({});
  const held = request({ arrivedAtMs: 1_300, attempts: 1, tokenTimesMs: [1_700] });
  const later = request({ arrivedAtMs: 1_450, tokenTimesMs: [1_500], endedAtMs: 1_540 });
  const retried = request({ arrivedAtMs: 1_450, tokenTimesMs: [1_500], endedAtMs: 1_540, attempts: 2 });
  const { affected, servedAtMs } = judgeOutage([early, held, later, retried], outage, model);
  assert.equal(servedAtMs, 1_400);
  assert.deepEqual(
    affected.map(({ record }) => record),
    [early, held, retried],
  );
});

test("a request that arrives after one outage and is still open at the next is affected by the next alone", () => {
  const next: Outage = { atMs: 5_000, untilMs: 9_000 };
  const run = request({ isStream: false, tokenTimesMs: [], arrivedAtMs: 4_500, endedAtMs: 5_300, attempts: 2 });
  assert.deepEqual(judgeOutage([request({}), run], outage, model).affected.length, 1);
  assert.deepEqual(
    judgeOutage([run], next, model).affected.map(({ waitMs }) => waitMs),
    [300],
  );
});

test("recovery in an outage is the wait from the fault or the arrival, less the modelled prefill", () => {
  const inFlight = request({ arrivedAtMs: 980 });
  const { affected } = judgeOutage([inFlight, request({})], outage, model);
  // 1,000 tokens at 100,000 a second, and one step.
  assert.deepEqual(
    affected.map(({ waitMs, recoveryMs }) => [waitMs, recoveryMs]),
    [
      [400, 380],
      [300, 280],
    ],
  );
});

test("what the outage does not touch is not affected by it", () => {
  const before = request({ arrivedAtMs: 500, endedAtMs: 990, tokenTimesMs: [600] });
  const next = request({ arrivedAtMs: 5_000, endedAtMs: 5_400, tokenTimesMs: [5_300] });
  assert.deepEqual(judgeOutage([before, next], outage, model).affected, []);
});

test("a request that nobody answers in an outage never recovers", () => {
  const { affected, servedAtMs } = judgeOutage([refused], outage, model);
  assert.deepEqual([affected[0]?.recoveryMs, servedAtMs], [Number.POSITIVE_INFINITY, null]);
});

const losses: readonly { name: string; record: RequestRecord; isLost: readonly [withRefusals: boolean, without: boolean] }[] = [
  { name: "a whole right answer", record: request({}), isLost: [false, false] },
  { name: "a stream that the outage cut and that says so", record: cut, isLost: [false, false] },
  { name: "a refusal that says when to come again", record: refused, isLost: [false, true] },
  { name: "a refusal that does not say when to come again", record: { ...refused, retryAfterSeconds: null }, isLost: [true, true] },
  { name: "a refusal of another status", record: { ...refused, status: 502 }, isLost: [true, true] },
  {
    name: "an error event before any token of a stream that waited",
    record: request({ outcome: "error-event", tokenTimesMs: [], endedAtMs: 4_000 }),
    isLost: [false, true],
  },
  { name: "a refusal outside every outage", record: { ...refused, arrivedAtMs: 100, endedAtMs: 110 }, isLost: [true, true] },
  { name: "a stream that ends without a word", record: { ...cut, outcome: "truncated" }, isLost: [true, true] },
  { name: "a wrong token", record: request({ outcome: "wrong" }), isLost: [true, true] },
  { name: "a request that hangs", record: request({ outcome: "timeout", tokenTimesMs: [] }), isLost: [true, true] },
  {
    name: "a stream that the dying engine began right after the fault and cut",
    record: { ...cut, arrivedAtMs: 1_010, tokenTimesMs: [1_050], endedAtMs: 1_090 },
    isLost: [false, false],
  },
  { name: "a stream begun after the outage and cut", record: { ...cut, arrivedAtMs: 1_200, tokenTimesMs: [1_300] }, isLost: [true, true] },
];
for (const { name, record, isLost } of losses) {
  test(`${name} is ${isLost.map((is) => (is ? "lost" : "not lost")).join(" where refusals are allowed, else ")} on the ladder`, () => {
    const judged = [true, false].map((areRefusalsAllowed) => isLostOnLadder(record, { outages: [outage], areRefusalsAllowed }));
    assert.deepEqual(judged, isLost);
  });
}

test("how long refused requests waited counts from their arrival, or from the fault that met them running", () => {
  const running = { ...refused, arrivedAtMs: 400, endedAtMs: 2_600 };
  const before = { ...refused, arrivedAtMs: 100, endedAtMs: 900 };
  const metNext = { ...refused, arrivedAtMs: 4_000, endedAtMs: 6_500 };
  const outages = [
    { ...outage, untilMs: 5_000 },
    { atMs: 5_000, untilMs: Number.POSITIVE_INFINITY },
  ];
  assert.deepEqual(refusalWaitsMs([refused, running, before, metNext, request({})], outages), [1_500, 1_600, 1_500]);
});
