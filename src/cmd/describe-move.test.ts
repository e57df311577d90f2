import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_CLOCK, type FailoverRecord, type FailoverRecordStatus } from "../api/failover-record.ts";
import { failoverRecordSpec, failoverRecordStatusJson } from "../api/parse-failover-record.ts";
import type { Resource } from "../api/resource.ts";
import { epoch, serviceName, uid, wallMs } from "../base/ids.ts";
import { formatMove, lastMoveOf } from "./describe-move.ts";

const FAULT = "2026-01-01T00:00:00.000Z";
const after = (ms: number): string => new Date(Date.parse(FAULT) + ms).toISOString();
const status: FailoverRecordStatus = {
  phase: "Completed",
  epoch: epoch(8),
  clock: {
    fault: FAULT,
    detected: after(12),
    decided: after(40),
    targetReady: after(0),
    routed: after(61),
    firstGoodToken: after(95),
    redundant: after(2_100),
  },
  rtoMs: 212.4,
  capacityRtoMs: null,
  mttrrMs: 2_100,
  affected: { requests: 7, lost: 0 },
  reason: "gold-hot-1 does not serve; warm is Ready.",
};
const record: FailoverRecord = {
  name: "gold-8",
  service: serviceName("gold"),
  action: "failover",
  from: "hot",
  to: "warm",
  cause: "refused",
  requestedBy: "automatic",
  status,
};
function stored(change: Partial<FailoverRecord>, createdAtMs: number): Resource {
  const whole = { ...record, ...change };
  return {
    kind: "FailoverRecord",
    name: whole.name,
    uid: uid(whole.name),
    version: "1",
    generation: 1,
    createdAt: wallMs(createdAtMs),
    labels: {},
    annotations: {},
    spec: failoverRecordSpec(whole),
    status: whole.status === null ? null : failoverRecordStatusJson(whole.status),
  };
}

test("the last move is told with its clock as offsets from the fault, and what it cost", () => {
  assert.deepEqual(formatMove(record), [
    "gold-8: failover hot -> warm, cause refused, by automatic, Completed",
    "gold-hot-1 does not serve; warm is Ready.",
    `t0 fault ${FAULT}, t1 detected +12 ms, t2 decided +40 ms, t3 target ready +0 ms, t4 routed +61 ms, t5 first good token +95 ms, t6 redundant +2100 ms`,
    "7 requests affected, 0 lost; recovery 212 ms, redundancy back after 2100 ms",
  ]);
});

test("a planned move has no fault: its clock counts from the decision", () => {
  const planned = { ...record, status: { ...status, clock: { ...NO_CLOCK, decided: FAULT, routed: after(9) }, rtoMs: null, reason: "" } };
  assert.deepEqual(formatMove(planned).slice(1, 2), [`t2 decided ${FAULT}, t4 routed +9 ms`]);
  assert.match(formatMove(planned).at(-1) ?? "", /recovery time not measured/);
});

test("the last move is the newest that was made: no advice, no refusal, no resume, of no other service", () => {
  const found = lastMoveOf(
    [
      stored({}, 1),
      stored({ name: "gold-9" }, 2),
      stored({ name: "gold-10-advised", status: { ...status, phase: "Advised" } }, 3),
      stored({ name: "request-a", status: { ...status, phase: "Refused" } }, 4),
      stored({ name: "request-b", action: "resume" }, 5),
      stored({ name: "request-c", status: null }, 6),
      stored({ name: "other-3", service: serviceName("other") }, 7),
    ],
    "gold",
  );
  assert.equal(found?.name, "gold-9");
  assert.equal(lastMoveOf([], "gold"), null);
});
