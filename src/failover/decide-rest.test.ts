import { test } from "node:test";
import assert from "node:assert/strict";
import { generation, monotonicMs, uid } from "../base/ids.ts";
import type { InstanceStatus } from "../api/service-status.ts";
import { decideInstance } from "./decide-instance.ts";
import {
  DRAIN,
  FENCE,
  g3,
  judged,
  look,
  member,
  NAME,
  recorded,
  REST_CHECK,
  running,
  service,
  SLEEP,
  START,
  WAKE,
  type Case,
} from "./fake-instance.ts";
import { NEW_MEMO } from "./restart-memo.ts";

const of = (state: InstanceStatus["state"], more: Partial<InstanceStatus> = {}) => ({ recorded: recorded(state, more), running });
const desired = { name: NAME, level: "warm", weight: 0, memberCount: 1, rest: "asleep" } as const;
const woken = (answer: string) => ({ kind: "woken", ...g3, answer }) as const;
const activation = (outcome: "awake" | "failed") => ({ ...g3, because: "lost", outcome, reason: "no answer" }) as const;
const heardLongAgo = { ...NEW_MEMO, heardAtMs: monotonicMs(95_000) };

const cases: readonly Case[] = [
  // Asleep.
  { name: "a sleeper that nothing needs sleeps on", look: { ...of("Asleep"), wish: "rest" }, expected: "Asleep/3", actions: [] },
  {
    name: "a sleeper that was not heard for five seconds is asked whether it is there",
    look: { ...of("Asleep"), wish: "rest", memo: heardLongAgo },
    expected: "Asleep/3",
    actions: [REST_CHECK],
  },
  {
    name: "a sleeper is not asked twice at once",
    look: { ...of("Asleep"), wish: "rest", memo: heardLongAgo, task: { kind: "checking", ...g3, purpose: "rest" } },
    expected: "Asleep/3",
    actions: [],
  },
  {
    name: "a sleeper that answers asleep is heard",
    look: { ...of("Asleep"), wish: "rest", memo: heardLongAgo, task: judged("asleep", "rest") },
    expected: "Asleep/3",
    actions: [],
  },
  { name: "a sleeper that is needed is woken", look: { ...of("Asleep"), wish: "wake" }, expected: "Waking/3", actions: [WAKE] },
  {
    name: "a sleeper that its service waits for is woken urgently",
    look: { ...of("Asleep"), wish: "wake", isUrgent: true },
    expected: "Waking/3",
    actions: [{ ...WAKE, isUrgent: true }],
  },
  { name: "a sleeper that is needed but held sleeps on", look: { ...of("Asleep"), wish: "stay" }, expected: "Asleep/3", actions: [] },
  {
    name: "a sleeper without a known answer is not woken",
    look: { ...of("Asleep"), wish: "wake" },
    service: { expectedAnswer: null },
    expected: "Asleep/3",
    actions: [],
  },
  {
    name: "a sleeper of an older model is not woken",
    look: { ...of("Asleep", { fingerprint: "f0" }), wish: "wake" },
    expected: "Asleep/3",
    actions: [],
  },
  {
    name: "a sleeper that is gone restarts in place",
    look: { recorded: recorded("Asleep"), wish: "rest" },
    expected: "Starting/4",
    actions: [START],
  },
  {
    name: "a sleeper that answers no check is fenced",
    look: { ...of("Asleep"), wish: "rest", task: judged("dead", "rest") },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a sleeper on a lost GPU is fenced",
    look: { ...of("Asleep"), wish: "rest" },
    service: { lostGpus: new Set(["gpu-a/0"]) },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a sleeper in whose place another generation runs is fenced",
    look: { ...of("Asleep"), running: { ...running, generation: generation(2) } },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a sleeper under whose name a stranger runs is fenced",
    look: { ...of("Asleep"), running: { ...running, uid: uid("u2") } },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a sleeper that a gateway woke and verified is Ready",
    look: { ...of("Asleep"), wish: "rest", activation: activation("awake") },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a report of another generation's wake says nothing of this one",
    look: { ...of("Asleep"), wish: "rest", activation: { ...activation("awake"), generation: generation(2) } },
    expected: "Asleep/3",
    actions: [],
  },
  {
    name: "a sleeper that a gateway could not wake is fenced",
    look: { ...of("Asleep"), wish: "wake", activation: activation("failed") },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a sleeper that woke by itself is put to sleep again",
    look: { ...of("Asleep"), wish: "rest", task: judged("alive", "rest") },
    expected: "Draining/3",
    actions: [],
  },
  {
    name: "a sleeper that woke by itself and is needed is verified first",
    look: { ...of("Asleep"), wish: "wake", task: judged("alive", "rest") },
    expected: "Waking/3",
    actions: [WAKE],
  },
  {
    name: "a sleeper whose turn to roll it is leaves the table first",
    look: { ...of("Asleep", { fingerprint: "f0" }), wish: "rest" },
    service: { rolls: NAME },
    expected: "Draining/3",
    actions: [],
  },
  {
    name: "a sleeper that leaves its GPU is ended, not put to sleep again",
    look: { ...of("Draining"), wish: "rest", placement: { kind: "bound", members: [member(0)], leaving: "makes room for x" } },
    expected: "Draining/3",
    actions: [DRAIN],
  },
  // Waking.
  {
    name: "a wake at work is left alone",
    look: { ...of("Waking"), task: { kind: "waking", ...g3, stage: "queued" } },
    expected: "Waking/3",
    actions: [],
  },
  { name: "a wake that nobody works on is repeated", look: { ...of("Waking") }, expected: "Waking/3", actions: [WAKE] },
  { name: "a wake with the known answer is Ready", look: { ...of("Waking"), task: woken("right") }, expected: "Ready/3", actions: [] },
  { name: "a wake with a wrong answer is fenced", look: { ...of("Waking"), task: woken("wrong") }, expected: "Fenced/3", actions: [FENCE] },
  {
    name: "a wake whose answer cannot be verified any more is fenced",
    look: { ...of("Waking"), task: woken("right") },
    service: { expectedAnswer: null },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "a wake that failed is fenced",
    look: { ...of("Waking"), task: { kind: "wake-failed", ...g3, reason: "late" } },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "the outcome of another generation's wake counts for nothing",
    look: { ...of("Waking"), task: { ...woken("right"), generation: generation(2) } },
    expected: "Waking/3",
    actions: [WAKE],
  },
  { name: "an engine that dies of its wake restarts", look: { recorded: recorded("Waking") }, expected: "Starting/4", actions: [START] },
  {
    name: "a gateway that was faster ends the wake",
    look: { ...of("Waking"), task: { kind: "waking", ...g3, stage: "waking" }, activation: activation("awake") },
    expected: "Ready/3",
    actions: [],
  },
  // To sleep.
  {
    name: "a Ready instance that nothing needs leaves the table",
    look: { ...of("Ready"), desired, wish: "rest" },
    expected: "Draining/3",
    actions: [],
  },
  {
    name: "a Ready instance that rests awake stays, whatever needs it",
    look: { ...of("Ready"), wish: "rest" },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a Ready instance that is needed under Hold stays Ready",
    look: { ...of("Ready"), desired, wish: "stay" },
    expected: "Ready/3",
    actions: [],
  },
  {
    name: "a suspect is judged before it may sleep",
    look: { ...of("Suspect"), desired, wish: "rest", task: { kind: "checking", ...g3, purpose: "judgement" } },
    expected: "Suspect/3",
    actions: [],
  },
  {
    name: "what drains to sleep waits for every gateway",
    look: { ...of("Draining"), desired, wish: "rest" },
    service: { isAcknowledged: false },
    expected: "Draining/3",
    actions: [],
  },
  {
    name: "a silent gateway keeps it awake for as long as it takes",
    look: { ...of("Draining"), desired, wish: "rest", memo: { ...NEW_MEMO, drainingSinceMs: monotonicMs(0) } },
    service: { isAcknowledged: false },
    expected: "Draining/3",
    actions: [],
  },
  {
    name: "what every gateway has left is put to sleep",
    look: { ...of("Draining"), desired, wish: "rest" },
    expected: "Draining/3",
    actions: [SLEEP],
  },
  {
    name: "a sleep at work is left alone, needed or not",
    look: { ...of("Draining"), desired, wish: "wake", task: { kind: "sleeping", ...g3 } },
    expected: "Draining/3",
    actions: [],
  },
  {
    name: "what slept is Asleep",
    look: { ...of("Draining"), desired, wish: "rest", task: { kind: "slept", ...g3 } },
    expected: "Asleep/3",
    actions: [],
  },
  {
    name: "what did not sleep is fenced",
    look: { ...of("Draining"), desired, wish: "rest", task: { kind: "sleep-failed", ...g3, reason: "busy" } },
    expected: "Fenced/3",
    actions: [FENCE],
  },
  {
    name: "what is needed again on its way to sleep is woken, asleep already or not",
    look: { ...of("Draining"), desired, wish: "wake" },
    expected: "Waking/3",
    actions: [WAKE],
  },
  {
    name: "what drains for another model ends instead of sleeping",
    look: { ...of("Draining", { fingerprint: "f0" }), desired, wish: "rest" },
    expected: "Draining/3",
    actions: [DRAIN],
  },
  {
    name: "a verified start that nothing needs goes straight to sleep",
    look: { ...of("Verifying"), desired, wish: "rest", task: { kind: "started", ...g3, answer: "right" } },
    expected: "Draining/3",
    actions: [],
  },
  {
    name: "a verified start that is needed under Hold is Ready",
    look: { ...of("Verifying"), desired, wish: "stay", task: { kind: "started", ...g3, answer: "right" } },
    expected: "Ready/3",
    actions: [],
  },
];
for (const c of cases) {
  test(c.name, () => {
    const decided = decideInstance(look(c.look), service(c.service));
    assert.equal(decided.next === null ? null : `${decided.next.state}/${decided.next.generation}`, c.expected);
    assert.deepEqual(decided.actions, c.actions);
  });
}

test("a failed wake is counted until the next generation starts", () => {
  const failed = decideInstance(look({ ...of("Waking"), task: woken("wrong") }), service());
  assert.deepEqual([failed.next?.failedWakes, failed.next?.message], [1, "its wake failed: its known answer is wrong"]);
  const restarted = decideInstance(look({ recorded: failed.next, memo: { ...NEW_MEMO, heardAtMs: null } }), service());
  assert.deepEqual([restarted.next?.state, restarted.next?.failedWakes], ["Starting", 0]);
});
