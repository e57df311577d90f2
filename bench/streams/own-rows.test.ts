import assert from "node:assert/strict";
import { test } from "node:test";
import { abortBars, type Abort } from "./abort-row.ts";
import { stormBars, type StormCount } from "./storm-row.ts";

const failing = (bars: ReturnType<typeof abortBars>): readonly string[] => bars.filter(({ pass }) => !pass).map(({ name }) => name);

const aborts: readonly Abort[] = [
  { phase: "queued", endedAfterMs: 3 },
  { phase: "before the first byte", endedAfterMs: 50 },
  { phase: "mid-stream", endedAfterMs: 4 },
];

test("streams bench: an abort counts by its phase, and one that ran on is never quick", () => {
  const clean = { abortedButAsked: 0, stayedButUnserved: 0 };
  assert.deepEqual(failing(abortBars(aborts, clean, 1)), []);
  assert.deepEqual(failing(abortBars(aborts.slice(1), clean, 1)), ["aborts, queued", "upstream aborted, p99, queued"]);
  assert.deepEqual(failing(abortBars([...aborts, { phase: "mid-stream", endedAfterMs: Number.POSITIVE_INFINITY }], clean, 1)), [
    "upstream aborted, p99, mid-stream",
    "ran on, mid-stream",
  ]);
  assert.deepEqual(failing(abortBars(aborts, { abortedButAsked: 1, stayedButUnserved: 1 }, 1)), [
    "queued, aborted, and sent all the same",
    "queued beside them, and never served",
  ]);
});

test("streams bench: a storm that amplifies, leaves a client alone or never ends misses its bars", () => {
  const storm: StormCount = { clientRequests: 1_000, upstreamRequests: 1_100, unanswered: 0, longestMs: 5, failed: 900 };
  assert.deepEqual(failing(stormBars(storm, 10)), []);
  assert.deepEqual(failing(stormBars({ ...storm, upstreamRequests: 1_101 }, 10)), ["upstream requests per client request"]);
  assert.deepEqual(failing(stormBars({ ...storm, failed: 0, unanswered: 1 }, null)), [
    "client requests in the storm that failed",
    "without a whole answer or an OpenAI error",
    "all clients served again after the storm",
  ]);
});
