import { test } from "node:test";
import assert from "node:assert/strict";
import { generation, monotonicMs, nodeName, uid } from "../base/ids.ts";
import { decideInstance } from "./decide-instance.ts";
import { FENCE, RESUME, START, look, member, recorded, running, service, g3, type Case } from "./fake-instance.ts";
import { NEW_MEMO } from "./restart-memo.ts";

const cases: readonly Case[] = [
  // Beginnings.
  {
    name: "an instance that is new and placed starts as generation 1",
    look: {},
    expected: "Starting/1",
    actions: [{ ...START, uid: uid("gold-hot-1.new"), generation: generation(1) }],
  },
  { name: "an instance that is new and not placed waits", look: { placement: { kind: "waiting" } }, expected: "Pending/0", actions: [] },
  {
    name: "an instance without a GPU waits",
    look: { recorded: recorded("Pending"), placement: { kind: "refused", what: "No.", why: "Full." } },
    expected: "Pending/3",
    actions: [],
  },
  {
    name: "an instance placed on a quarantined GPU waits for another",
    look: { recorded: recorded("Pending") },
    service: { quarantinedGpus: new Set(["gpu-a/0"]) },
    expected: "Pending/3",
    actions: [],
  },
  {
    name: "an instance whose pause is not over stays Failed",
    look: { recorded: recorded("Failed"), memo: { ...NEW_MEMO, startNotBeforeMs: monotonicMs(100_001) } },
    expected: "Failed/3",
    actions: [],
  },
  {
    name: "an instance whose pause is over starts again",
    look: { recorded: recorded("Failed"), memo: { ...NEW_MEMO, startNotBeforeMs: monotonicMs(100_000) } },
    expected: "Starting/4",
    actions: [START],
  },
  {
    name: "a sleeper without a process starts afresh",
    look: { recorded: recorded("Asleep") },
    expected: "Starting/4",
    actions: [START],
  },
  {
    name: "an engine of an unknown uid under a new instance's name is fenced before anything starts",
    look: { running },
    expected: "Fenced/0",
    actions: [FENCE],
  },
  // Starting.
  {
    name: "a start that waits for its turn is ended when its GPUs were promised elsewhere meanwhile",
    look: {
      recorded: recorded("Starting"),
      task: { kind: "starting", ...g3, stage: "queued" },
      placement: { kind: "bound", members: [member(1)], leaving: null },
    },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a start that waits for its turn is ended when its GPUs are lost to others",
    look: {
      recorded: recorded("Starting"),
      task: { kind: "starting", ...g3, stage: "queued" },
      placement: { kind: "refused", what: "No.", why: "Full." },
    },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a process that comes to GPUs which are promised elsewhere is fenced",
    look: { recorded: recorded("Starting"), running, placement: { kind: "bound", members: [member(1)], leaving: null } },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "an intent of before that has other GPUs now starts there, as its next generation",
    look: { recorded: recorded("Starting"), placement: { kind: "bound", members: [member(1)], leaving: null } },
    expected: "Starting/4",
    actions: [{ ...START, members: [member(1)] }],
  },
  {
    name: "a start is not ended because its driver is asked just now",
    look: { recorded: recorded("Starting"), task: { kind: "starting", ...g3, stage: "queued" }, placement: { kind: "waiting" } },
    expected: "Starting/3",
    actions: [],
  },
  {
    name: "a start at work that has no process yet is left alone",
    look: { recorded: recorded("Starting"), task: { kind: "starting", ...g3, stage: "launching" } },
    expected: "Starting/3",
    actions: [],
  },
  {
    name: "a recorded start that nobody works on is resumed at its own generation",
    look: { recorded: recorded("Starting") },
    expected: "Starting/3",
    actions: [RESUME],
  },
  {
    name: "a recorded start whose engine runs is only waited for and verified",
    look: { recorded: recorded("Starting"), running },
    expected: "Starting/3",
    actions: [RESUME],
  },
  {
    name: "a recorded start of an older config is not resumed",
    look: { recorded: recorded("Starting", { fingerprint: "f0" }) },
    expected: "Starting/4",
    actions: [START],
  },
  {
    name: "a start that loads is left alone",
    look: { recorded: recorded("Starting"), running, task: { kind: "starting", ...g3, stage: "loading" } },
    expected: "Starting/3",
    actions: [],
  },
  {
    name: "a start that verifies says so",
    look: { recorded: recorded("Starting"), running, task: { kind: "starting", ...g3, stage: "verifying" } },
    expected: "Verifying/3",
    actions: [],
  },
  {
    name: "a start with the known answer is Ready",
    look: { recorded: recorded("Verifying"), running, task: { kind: "started", ...g3, answer: "right" } },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a start with a wrong answer is fenced",
    look: { recorded: recorded("Verifying"), running, task: { kind: "started", ...g3, answer: "wrong" } },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a first answer is right by itself",
    look: { recorded: recorded("Verifying"), running, task: { kind: "started", ...g3, answer: "any" } },
    service: { expectedAnswer: null },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "the outcome of an older generation's start counts for nothing",
    look: { recorded: recorded("Starting"), running, task: { kind: "started", generation: generation(2), answer: "right" } },
    expected: "Starting/3",
    actions: [RESUME],
  },
  {
    name: "a start whose process exits begins the next generation at once",
    look: { recorded: recorded("Starting"), exit: { ...g3, reason: "exit code 1" }, task: { kind: "starting", ...g3, stage: "loading" } },
    expected: "Starting/4",
    actions: [START],
  },
  {
    name: "the exit of an older generation fails no start",
    look: {
      recorded: recorded("Starting"),
      exit: { generation: generation(2), reason: "SIGKILL" },
      task: { kind: "starting", ...g3, stage: "launching" },
    },
    expected: "Starting/3",
    actions: [],
  },
  {
    name: "a start that runs out of time is fenced first",
    look: { recorded: recorded("Starting"), running, task: { kind: "start-failed", ...g3, reason: "late" } },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a second failed start waits for another GPU",
    look: { recorded: recorded("Starting", { failedStarts: 1 }), exit: { ...g3, reason: "exit code 3" } },
    expected: "Pending/3",
    actions: [],
  },
  {
    name: "a start that meets an older generation fences it",
    look: { recorded: recorded("Starting"), running: { ...running, generation: generation(2) } },
    expected: "Fenced/3",
    actions: [FENCE],
  },
];
for (const c of cases) {
  test(c.name, () => {
    const decided = decideInstance(look(c.look), service(c.service));
    assert.equal(decided.next === null ? null : `${decided.next.state}/${decided.next.generation}`, c.expected);
    assert.deepEqual(decided.actions, c.actions);
  });
}

test("two failed starts blame the GPU once and are then forgotten", () => {
  const decided = decideInstance(
    look({ recorded: recorded("Starting", { failedStarts: 1 }), exit: { ...g3, reason: "exit code 3" } }),
    service(),
  );
  assert.deepEqual(decided.quarantine, [{ node: nodeName("gpu-a"), gpu: 0, reason: "FailedStarts" }]);
  assert.equal(decided.next?.failedStarts, 0);
});

test("a start that failed beside the bytes of a dead process blames the slow driver alone, at once, and a GPU without them nobody", () => {
  const failed = recorded("Starting", { generation: generation(4), failedStarts: 0 });
  const task = { kind: "start-failed", generation: generation(4), reason: "no memory" } as const;
  const slow = decideInstance(look({ recorded: failed, task }), service({ slowGpus: new Set(["gpu-a/0"]) }));
  assert.deepEqual(slow.quarantine, [{ node: nodeName("gpu-a"), gpu: 0, reason: "SlowTeardown" }]);
  assert.deepEqual([slow.next?.state, slow.next?.failedStarts, slow.notes.length], ["Pending", 0, 2]);
  const elsewhere = decideInstance(look({ recorded: failed, task }), service({ slowGpus: new Set(["gpu-a/1"]) }));
  assert.deepEqual([elsewhere.quarantine, elsewhere.next?.failedStarts], [[], 1]);
});

test("a first start on a GPU whose driver is slow is tried: there may be room beside the dead", () => {
  const decided = decideInstance(look({ recorded: recorded("Pending") }), service({ slowGpus: new Set(["gpu-a/0"]) }));
  assert.deepEqual([decided.quarantine, decided.actions.map(({ type }) => type)], [[], ["start"]]);
});
