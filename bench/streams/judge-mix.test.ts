import assert from "node:assert/strict";
import { test } from "node:test";
import type { AskKind } from "../failover/ask-kind.ts";
import { benchProfile } from "../failover/bench-manifests.ts";
import type { FaultWindow } from "../failover/judge.ts";
import { fakeRecord } from "../failover/fake-record.ts";
import type { RequestRecord } from "../failover/request-record.ts";
import { mixBarsOf } from "./judge-mix.ts";

const fault: FaultWindow = { atMs: 1_000, instance: "hot-1", untilMs: 5_000, resumedAtMs: null };
const model = { profile: benchProfile(), survivor: { stepMs: 10, batch: 50 } };
const cut = (kind: AskKind, outcome: RequestRecord["outcome"], nextAtMs = 1_200): RequestRecord =>
  fakeRecord({ kind, outcome, tokenTimesMs: [950, 990, nextAtMs] });
const RIGHT = [
  cut("plain", "complete"),
  cut("tool", "complete"),
  cut("json", "complete"),
  cut("choices", "error-event"),
  cut("logprobs", "error-event"),
];
const failing = (records: readonly RequestRecord[]): readonly string[] =>
  mixBarsOf(records, [fault], { bars: { faults: 1, gapP99MaxMs: 300 }, model })
    .filter(({ pass }) => !pass)
    .map(({ name }) => name);

test("streams bench: a mix passes when each kind goes on, or ends, in its own way", () => {
  assert.deepEqual(failing(RIGHT), []);
});

const wrongs: readonly { readonly name: string; readonly more: RequestRecord; readonly fails: readonly string[] }[] = [
  {
    name: "plain text that ends by an error",
    more: cut("plain", "error-event"),
    fails: ["streams that neither were complete nor had to end by an error", "plain text: continued, of 2 cut streams"],
  },
  {
    name: "two answers that nobody ended",
    more: cut("choices", "timeout"),
    fails: ["streams that neither were complete nor had to end by an error", "n > 1: ended by an error event, of 2 cut streams"],
  },
  {
    name: "a spliced call",
    more: cut("tool", "wrong"),
    fails: [
      "spliced, wrong, lost, repeated or missing tokens",
      "streams that neither were complete nor had to end by an error",
      "tools: made again and the same, of 2 cut streams",
    ],
  },
  {
    name: "a silent truncation",
    more: cut("logprobs", "truncated"),
    fails: [
      "silent truncations",
      "streams that neither were complete nor had to end by an error",
      "log probabilities: ended by an error event, of 2 cut streams",
    ],
  },
  { name: "a long gap", more: cut("plain", "complete", 3_000), fails: ["gap less prefill and queue, p99, context 128"] },
];
for (const { name, more, fails } of wrongs)
  test(`streams bench: a mix fails by ${name}`, () => assert.deepEqual(failing([...RIGHT, more]), fails));

test("streams bench: the gap of what is made again is not a gap of plain text", () => {
  assert.deepEqual(failing([...RIGHT, cut("json", "complete", 9_000)]), []);
});
