import assert from "node:assert/strict";
import { test } from "node:test";
import { benchProfile } from "../failover/bench-manifests.ts";
import type { FaultWindow } from "../failover/judge.ts";
import { fakeRecord } from "../failover/fake-record.ts";
import type { RequestRecord } from "../failover/request-record.ts";
import { barsOf, cutBy } from "./judge-streams.ts";

const fault: FaultWindow = { atMs: 1_000, instance: "hot-1", untilMs: 5_000, resumedAtMs: null };
const model = { profile: benchProfile(), survivor: { stepMs: 10, batch: 50 } };
const failing = (records: readonly RequestRecord[]): readonly string[] =>
  barsOf(records, [fault], { bars: { faults: 1, gapP99MaxMs: 300 }, model })
    .filter(({ pass }) => !pass)
    .map(({ name }) => name);

test("streams bench: the gap is from the fault to the next token, of streams that had begun at that engine", () => {
  assert.deepEqual(
    cutBy([fakeRecord({}), fakeRecord({ instance: "hot-2" }), fakeRecord({ tokenTimesMs: [1_100] })], fault).map(({ gapMs }) => gapMs),
    [200],
  );
});

test("streams bench: a stream that had all its tokens and was only on its way is not cut", () => {
  assert.deepEqual(cutBy([fakeRecord({ tokenTimesMs: [950, 990], endedAtMs: 1_001 })], fault), []);
});

test("streams bench: every bar can be missed", () => {
  assert.deepEqual(failing([fakeRecord({})]), []);
  assert.deepEqual(failing([fakeRecord({ tokenTimesMs: [950, 2_000] })]), ["gap less prefill and queue, p99, context 128"]);
  assert.deepEqual(failing([fakeRecord({}), fakeRecord({ outcome: "wrong" })]), [
    "streams that were not complete",
    "wrong, lost, repeated or missing tokens",
  ]);
  assert.deepEqual(failing([fakeRecord({}), fakeRecord({ outcome: "truncated" })]), [
    "streams that were not complete",
    "silent truncations",
  ]);
  assert.ok(failing([fakeRecord({ instance: "hot-2" })]).includes("faults that met streams"));
});
