import { test } from "node:test";
import assert from "node:assert/strict";
import { generation, instanceName, monotonicMs } from "../base/ids.ts";
import { decideInstance } from "./decide-instance.ts";
import {
  DRAIN,
  FENCE,
  HEARTBEAT,
  JUDGE,
  NAME,
  START,
  judged,
  look,
  member,
  recorded,
  running,
  service,
  g3,
  type Case,
} from "./fake-instance.ts";
import { NEW_MEMO } from "./restart-memo.ts";

const cases: readonly Case[] = [
  // Ready.
  {
    name: "a Ready instance that runs and was heard is left alone",
    look: { recorded: recorded("Ready"), running },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a Ready instance that was not heard for five seconds is asked",
    look: { recorded: recorded("Ready"), running, memo: { ...NEW_MEMO, heardAtMs: monotonicMs(95_000) } },
    expected: "Ready/3",
    actions: [HEARTBEAT],
  },
  {
    name: "a Ready instance that a new control plane finds is not asked while the dead are brought back",
    look: { recorded: recorded("Ready"), running, memo: NEW_MEMO },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a Ready instance that was never heard is asked a second later",
    look: { recorded: recorded("Ready"), running, memo: { ...NEW_MEMO, readySinceMs: monotonicMs(99_000) } },
    expected: "Ready/3",
    actions: [HEARTBEAT],
  },
  {
    name: "a Ready instance that is due within half a second is asked along with the others",
    look: { recorded: recorded("Ready"), running, memo: { ...NEW_MEMO, readySinceMs: monotonicMs(0), heardAtMs: monotonicMs(95_400) } },
    expected: "Ready/3",
    actions: [HEARTBEAT],
  },
  {
    name: "a Ready instance that is due later is not asked yet",
    look: { recorded: recorded("Ready"), running, memo: { ...NEW_MEMO, readySinceMs: monotonicMs(0), heardAtMs: monotonicMs(95_600) } },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a Ready instance is not asked twice at once",
    look: { recorded: recorded("Ready"), running, memo: NEW_MEMO, task: { kind: "checking", ...g3, purpose: "heartbeat" } },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a Ready instance without a process restarts at once",
    look: { recorded: recorded("Ready"), exit: { ...g3, reason: "SIGKILL" } },
    expected: "Starting/4",
    actions: [START],
  },
  {
    name: "a Ready instance in whose place an older generation runs is fenced",
    look: { recorded: recorded("Ready"), running: { ...running, generation: generation(2) } },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a Ready instance on a lost GPU is fenced",
    look: { recorded: recorded("Ready"), running },
    service: { lostGpus: new Set(["gpu-a/0"]) },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "another instance's lost GPU touches nobody else",
    look: { recorded: recorded("Ready"), running },
    service: { lostGpus: new Set(["gpu-a/1"]) },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a quarantined GPU does not take a Ready instance down",
    look: { recorded: recorded("Ready"), running },
    service: { quarantinedGpus: new Set(["gpu-a/0"]) },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a partition that is bound no longer does not take a Ready instance down",
    look: { recorded: recorded("Ready"), running, placement: { kind: "waiting" } },
    expected: "Ready/3",
    actions: [],
  },
  // Suspicion.
  {
    name: "a report opens a judgement and takes nothing away",
    look: { recorded: recorded("Ready"), running, report: { ...g3, cause: "silent" } },
    expected: "Suspect/3",
    actions: [JUDGE],
  },
  {
    name: "a report about an older generation opens nothing",
    look: { recorded: recorded("Ready"), running, report: { generation: generation(2), cause: "reset" } },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a second report while it is judged opens no second judgement",
    look: {
      recorded: recorded("Suspect"),
      running,
      report: { ...g3, cause: "reset" },
      task: { kind: "checking", ...g3, purpose: "judgement" },
    },
    expected: "Suspect/3",
    actions: [],
  },
  {
    name: "a heartbeat without an answer opens a judgement",
    look: { recorded: recorded("Ready"), running, task: judged("dead", "heartbeat") },
    expected: "Suspect/3",
    actions: [JUDGE],
  },
  {
    name: "a heartbeat that we were too slow for says nothing",
    look: { recorded: recorded("Ready"), running, task: judged("unsure", "heartbeat") },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a judged engine that lives stays",
    look: { recorded: recorded("Suspect"), running, task: judged("alive", "judgement") },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a judged engine that is dead or hung is fenced",
    look: { recorded: recorded("Suspect"), running, task: judged("dead", "judgement") },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a judgement that we were too slow for is repeated",
    look: { recorded: recorded("Suspect"), running, task: judged("unsure", "judgement") },
    expected: "Suspect/3",
    actions: [JUDGE],
  },
  {
    name: "a suspect that a new control plane finds is judged again",
    look: { recorded: recorded("Suspect"), running, memo: NEW_MEMO },
    expected: "Suspect/3",
    actions: [JUDGE],
  },
  {
    name: "a suspect that ends meanwhile restarts at once",
    look: { recorded: recorded("Suspect"), task: { kind: "checking", ...g3, purpose: "judgement" } },
    expected: "Starting/4",
    actions: [START],
  },
  // Ends.
  {
    name: "a fenced instance that still runs is fenced again",
    look: { recorded: recorded("Fenced"), running },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a fence at work is left alone",
    look: { recorded: recorded("Fenced"), running, task: { kind: "stopping" } },
    expected: "Fenced/3",
    actions: [],
  },
  {
    name: "nothing starts while a fence is at work",
    look: { recorded: recorded("Fenced"), task: { kind: "stopping" } },
    expected: "Fenced/3",
    actions: [],
  },
  {
    name: "a fenced instance that is gone starts its next generation",
    look: { recorded: recorded("Fenced"), task: { kind: "stopped" } },
    expected: "Starting/4",
    actions: [START],
  },
  {
    name: "the instance whose turn it is drains",
    look: { recorded: recorded("Ready", { fingerprint: "f0" }), running },
    service: { rolls: NAME },
    expected: "Draining/3",
    actions: [],
  },
  {
    name: "an instance that left its GPU does not start there again",
    look: { recorded: recorded("Draining"), placement: { kind: "bound", members: [member(0)], leaving: "makes room for x" } },
    expected: "Pending/3",
    actions: [],
  },
  {
    name: "an instance that must leave its GPU serves until its turn comes",
    look: { recorded: recorded("Ready"), running, placement: { kind: "bound", members: [member(0)], leaving: "makes room for x" } },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "an instance whose turn it is not keeps serving its older model",
    look: { recorded: recorded("Ready", { fingerprint: "f0" }), running },
    service: { rolls: instanceName("gold-warm-1") },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a draining instance runs while a gateway has not acknowledged",
    look: { recorded: recorded("Draining"), running },
    service: { isAcknowledged: false },
    expected: "Draining/3",
    actions: [],
  },
  {
    name: "a draining instance is ended when every gateway has acknowledged",
    look: { recorded: recorded("Draining"), running },
    expected: "Draining/3",
    actions: [DRAIN],
  },
  {
    name: "a draining instance is ended after ten seconds without acknowledgement",
    look: { recorded: recorded("Draining"), running, memo: { ...NEW_MEMO, drainingSinceMs: monotonicMs(90_000) } },
    service: { isAcknowledged: false },
    expected: "Draining/3",
    actions: [DRAIN],
  },
  {
    name: "a drained instance that is still asked for starts its next generation",
    look: { recorded: recorded("Draining"), task: { kind: "stopped" } },
    expected: "Starting/4",
    actions: [START],
  },
  {
    name: "a Ready instance that is asked for no longer drains",
    look: { desired: null, recorded: recorded("Ready"), running },
    expected: "Draining/3",
    actions: [],
  },
  {
    name: "a pending instance that is asked for no longer is forgotten",
    look: { desired: null, recorded: recorded("Pending") },
    expected: null,
    actions: [],
  },
  {
    name: "a launch at work for an instance that is asked for no longer is fenced",
    look: { desired: null, recorded: recorded("Draining"), task: { kind: "starting", ...g3, stage: "launching" } },
    expected: "Draining/3",
    actions: [FENCE],
  },
  {
    name: "a drained instance that is asked for no longer is forgotten",
    look: { desired: null, recorded: recorded("Draining"), task: { kind: "stopped" } },
    expected: null,
    actions: [],
  },
  { name: "an instance that is neither asked for nor recorded is nothing", look: { desired: null }, expected: null, actions: [] },
];
for (const c of cases) {
  test(c.name, () => {
    const decided = decideInstance(look(c.look), service(c.service));
    assert.equal(decided.next === null ? null : `${decided.next.state}/${decided.next.generation}`, c.expected);
    assert.deepEqual(decided.actions, c.actions);
  });
}

test("restarts wait 0, 0.5, 1, 2, 4, 8, 10 and 10 seconds", () => {
  const waits: number[] = [];
  let memo = { ...NEW_MEMO, readySinceMs: monotonicMs(99_500) };
  for (let death = 0; death < 8; death += 1) {
    const decided = decideInstance(look({ recorded: recorded("Ready"), memo }), service());
    waits.push((decided.memo.startNotBeforeMs ?? 100_000) - 100_000);
    memo = { ...decided.memo, readySinceMs: monotonicMs(99_500) };
  }
  assert.deepEqual(waits, [0, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
});

test("an engine that was Ready for a second restarts at once, however often it died", () => {
  const memo = { ...NEW_MEMO, restarts: 6, readySinceMs: monotonicMs(99_000) };
  const decided = decideInstance(look({ recorded: recorded("Ready"), memo }), service());
  assert.deepEqual([decided.memo.startNotBeforeMs, decided.memo.restarts], [null, 1]);
});

test("the next heartbeat is counted from the last answer, not from the look that heard of it, and one under way needs no look", () => {
  const at = { recorded: recorded("Ready"), running };
  const heard = decideInstance(look({ ...at, task: judged("alive", "heartbeat") }), service());
  assert.deepEqual([heard.memo.heardAtMs, heard.lookAgainAfterMs], [99_900, 4_900]);
  const memo = { ...NEW_MEMO, readySinceMs: monotonicMs(0), heardAtMs: monotonicMs(90_000) };
  const asking = decideInstance(look({ ...at, memo, task: { kind: "checking", ...g3, purpose: "heartbeat" } }), service());
  assert.deepEqual([asking.actions, asking.lookAgainAfterMs], [[], 5_000]);
});
