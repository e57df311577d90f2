import assert from "node:assert/strict";
import { test } from "node:test";
import { wallMs } from "../base/ids.ts";
import type { CapacitySample } from "./capacity-rto.ts";
import { judgeStep, stepTimes, type StepSeen, type StepVerdict } from "./failback-analysis.ts";

const SINCE_S = 300;

interface Traffic {
  readonly requests: number;
  readonly failed?: number;
  readonly firstTokenMs?: number | null;
  /** Of them, those that went to hot. */
  readonly returned?: number;
  readonly returnedFailed?: number;
  readonly returnedFirstTokenMs?: number | null;
}
const seconds = (from: number, to: number, traffic: Traffic): readonly CapacitySample[] =>
  Array.from({ length: to - from }, (_, index) => {
    const { requests, failed = 0, firstTokenMs = 100, returned = 0, returnedFailed = 0, returnedFirstTokenMs = firstTokenMs } = traffic;
    return {
      atMs: wallMs((from + index) * 1_000),
      firstTokenP99Ms: firstTokenMs,
      goodRequests: requests - failed,
      failedRequests: failed,
      returned: { requests: returned, failed: returnedFailed, firstTokenP99Ms: returned > 0 ? returnedFirstTokenMs : null },
    };
  });
const usual = seconds(0, SINCE_S, { requests: 20 });

interface Case {
  readonly name: string;
  readonly before?: readonly CapacitySample[];
  readonly during: readonly CapacitySample[];
  /** Of the step; its least time is 10 s, its most 20 s. */
  readonly ageS: number;
  readonly seen?: Partial<StepSeen>;
  readonly kind: StepVerdict["kind"];
  readonly why: RegExp;
}
const cases: readonly Case[] = [
  {
    name: "a step that is young is not judged good",
    during: seconds(300, 309, { requests: 20, returned: 10 }),
    ageS: 9,
    kind: "early",
    why: /^$/,
  },
  {
    name: "enough good requests for the least time are good",
    during: seconds(300, 310, { requests: 20, returned: 2 }),
    ageS: 10,
    kind: "good",
    why: /^20 requests on hot, 0 failed, first tokens 100 ms \(p99; before 100 ms\)\.$/,
  },
  {
    name: "failures are bad before the least time is over",
    during: seconds(300, 302, { requests: 20, returned: 10, returnedFailed: 1 }),
    ageS: 2,
    kind: "bad",
    why: /^2 of 20 requests failed on hot, before 0 of 6000\.$/,
  },
  {
    name: "one failure of a few is no pattern yet",
    during: [...seconds(300, 301, { requests: 20, returned: 1, returnedFailed: 1 }), ...seconds(301, 305, { requests: 20 })],
    ageS: 5,
    kind: "early",
    why: /^$/,
  },
  {
    name: "one failure of a few is bad when there will be no more to judge by",
    during: [...seconds(300, 301, { requests: 20, returned: 1, returnedFailed: 1 }), ...seconds(301, 320, { requests: 20 })],
    ageS: 20,
    kind: "bad",
    why: /^1 of 1 requests failed on hot/,
  },
  {
    name: "failures below half of the alert's ratio are good",
    during: seconds(300, 310, { requests: 200, returned: 100, returnedFailed: 2 }),
    ageS: 10,
    kind: "good",
    why: /^1000 requests on hot, 20 failed/,
  },
  {
    name: "a service that failed before may fail as much on hot",
    before: seconds(0, SINCE_S, { requests: 20, failed: 4 }),
    during: seconds(300, 310, { requests: 20, failed: 4, returned: 10, returnedFailed: 3 }),
    ageS: 10,
    kind: "good",
    why: /^100 requests on hot, 30 failed/,
  },
  {
    name: "a service that failed before may not fail more than twice as often on hot",
    before: seconds(0, SINCE_S, { requests: 20, failed: 4 }),
    during: seconds(300, 310, { requests: 20, failed: 5, returned: 10, returnedFailed: 5 }),
    ageS: 10,
    kind: "bad",
    why: /^50 of 100 requests failed on hot, before 1200 of 6000\.$/,
  },
  {
    name: "first tokens that take more than twice as long are bad",
    during: seconds(300, 303, { requests: 20, returned: 2, returnedFirstTokenMs: 201 }),
    ageS: 3,
    kind: "bad",
    why: /^First tokens take 201 ms on hot \(p99\), before 100 ms\.$/,
  },
  {
    name: "first tokens that take twice as long are good",
    during: seconds(300, 310, { requests: 20, returned: 2, returnedFirstTokenMs: 200 }),
    ageS: 10,
    kind: "good",
    why: /first tokens 200 ms/,
  },
  {
    name: "a difference that nobody notices is good, however often as long it takes",
    before: seconds(0, SINCE_S, { requests: 20, firstTokenMs: 10 }),
    during: seconds(300, 310, { requests: 20, firstTokenMs: 10, returned: 2, returnedFirstTokenMs: 110 }),
    ageS: 10,
    kind: "good",
    why: /first tokens 110 ms/,
  },
  {
    name: "two slow seconds are no pattern",
    during: seconds(300, 302, { requests: 20, returned: 2, returnedFirstTokenMs: 5_000 }),
    ageS: 2,
    kind: "early",
    why: /^$/,
  },
  {
    name: "too few requests are a pause",
    during: seconds(300, 310, { requests: 20 }),
    ageS: 10,
    kind: "paused",
    why: /^Fewer than 10 requests came to hot: too few to judge by\.$/,
  },
  {
    name: "a pause ends as soon as there are enough requests",
    during: [...seconds(300, 310, { requests: 20 }), ...seconds(310, 315, { requests: 20, returned: 2 })],
    ageS: 15,
    kind: "good",
    why: /^10 requests on hot/,
  },
  {
    name: "a pause ends after its longest time where nothing is bad",
    during: seconds(300, 320, { requests: 1, returned: 0 }),
    ageS: 20,
    kind: "good",
    why: /^Only 0 requests on hot, 0 failed in 20s: too few to judge by, and none of them is bad\.$/,
  },
  {
    name: "without any traffic nothing can be worse",
    before: [],
    during: [],
    ageS: 10,
    kind: "good",
    why: /^No request came in 10s: nothing can be worse\.$/,
  },
  {
    name: "traffic that has ended is no traffic",
    during: seconds(300, 310, { requests: 0 }),
    ageS: 10,
    kind: "good",
    why: /^No request came/,
  },
  { name: "silence of the gateways of a service with traffic is a pause", during: [], ageS: 10, kind: "paused", why: /too few/ },
  {
    name: "an open request is traffic",
    before: [],
    during: [],
    seen: { inFlight: 1 },
    ageS: 10,
    kind: "paused",
    why: /too few/,
  },
  {
    name: "a control plane that has just begun takes silence for no proof",
    before: [],
    during: [],
    seen: { watchedMs: 9_999 },
    ageS: 10,
    kind: "paused",
    why: /too few/,
  },
];
for (const { name, before = usual, during, ageS, seen, kind, why } of cases) {
  test(`a failback's step: ${name}`, () => {
    const sinceMs = wallMs(SINCE_S * 1_000);
    const nowMs = wallMs(sinceMs + ageS * 1_000);
    const verdict = judgeStep({
      samples: [...before, ...during],
      sinceMs,
      nowMs,
      soakMs: 100_000,
      inFlight: 0,
      watchedMs: 60_000,
      ...seen,
    });
    assert.equal(verdict.kind, kind);
    assert.match(verdict.why, why);
  });
}

test("a step lasts a tenth of the soak, at least a second, and at most twice that", () => {
  assert.deepEqual(stepTimes(600_000), { leastMs: 60_000, mostMs: 120_000 });
  assert.deepEqual(stepTimes(1_000), { leastMs: 1_000, mostMs: 2_000 });
});
