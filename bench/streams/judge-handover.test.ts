import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeRecord } from "../failover/fake-record.ts";
import type { RequestRecord } from "../failover/request-record.ts";
import { handoverBarsOf, type Disturbance } from "./judge-handover.ts";

const disturbance = (kind: Disturbance["kind"], more: Partial<Disturbance> = {}): Disturbance => ({
  kind,
  startedAtMs: 1_000,
  endedAtMs: 1_100,
  isDone: true,
  ...more,
});
const BOTH = [disturbance("reload"), disturbance("take-over")];
const failing = (records: readonly RequestRecord[], all: readonly Disturbance[] = BOTH, gatewaysLeft = 1): readonly string[] =>
  handoverBarsOf({ streams: records, arrivals: records.slice(0, 1) }, all, { reloads: 1, takeOvers: 1, gatewaysLeft })
    .filter(({ pass }) => !pass)
    .map(({ name }) => name);

test("handover bench: a round in which nothing was seen passes", () => assert.deepEqual(failing([fakeRecord()]), []));

const missed: readonly { readonly name: string; readonly records: readonly RequestRecord[]; readonly all?: readonly Disturbance[] }[] = [
  { name: "refused connections", records: [fakeRecord(), fakeRecord({ outcome: "no-answer", note: "ECONNREFUSED" })] },
  { name: "reset, cut or unanswered", records: [fakeRecord(), fakeRecord({ outcome: "no-answer", note: "ECONNRESET" })] },
  { name: "reset, cut or unanswered", records: [fakeRecord(), fakeRecord({ outcome: "truncated" })] },
  { name: "wrong answers", records: [fakeRecord(), fakeRecord({ outcome: "wrong" })] },
  { name: "error statuses", records: [fakeRecord(), fakeRecord({ outcome: "error-status", status: 503 })] },
  { name: "reloads", records: [fakeRecord()], all: [disturbance("reload", { isDone: false }), disturbance("take-over")] },
  { name: "take-overs", records: [fakeRecord()], all: [disturbance("reload"), disturbance("take-over", { isDone: false })] },
];
for (const [index, { name, records, all }] of missed.entries()) {
  test(`handover bench: the bar "${name}" can be missed (${index + 1})`, () => assert.deepEqual(failing(records, all), [name]));
}

test("handover bench: a take-over that no stream ran across proves nothing, nor does one with a process left over", () => {
  assert.deepEqual(failing([fakeRecord({ endedAtMs: 990 })]), [
    "take-overs that streams ran across",
    "take-overs in which new connections were made",
  ]);
  assert.deepEqual(failing([fakeRecord()], BOTH, 2), ["gateway processes at the end"]);
});
