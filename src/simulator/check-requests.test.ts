import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeRequests } from "./check-requests.ts";
import { expectedAnswer } from "./expected-answer.ts";
import { ShakenTimes } from "./shaken-times.ts";
import type { WorldRequest } from "./world-client.ts";

const PROMPT = "Tell of the tide.";
const text = (revision: string): string =>
  JSON.stringify(expectedAnswer({ model: "tide-a", revision, prompt: PROMPT, tokensMax: 16 })).slice(1, -1);

const request = (more: Partial<WorldRequest>): WorldRequest => ({
  id: 1,
  ask: `${PROMPT} 16`,
  prompt: PROMPT,
  tokensMax: 16,
  isStream: true,
  startedAtMs: 1_000,
  firstByteAtMs: 1_100,
  endedAtMs: 1_500,
  outcome: "complete",
  text: text("r1"),
  servedFrom: "hot",
  retryAfter: null,
  answerIds: ["chatcmpl-1"],
  ...more,
});

function judge(one: WorldRequest, { isShaken = false, isExcused = false } = {}): readonly string[] {
  const shaken = new ShakenTimes();
  if (isShaken) shaken.shake("tenant-a", 900, 2_000);
  const excused = new Set(isExcused ? [one] : []);
  const court = { service: "tenant-a", party: "client of tenant-a", model: "tide-a", revisions: new Set(["r1", "r2"]), excused, shaken };
  return judgeRequests([one], court).map(({ checker }) => checker);
}

const cut = { outcome: "error-event", text: text("r1").slice(0, 20) } as const;
const cases: readonly { readonly name: string; readonly found: readonly string[]; readonly expected: readonly string[] }[] = [
  { name: "the model's answer is right", found: judge(request({})), expected: [] },
  { name: "so is that of another revision that was asked for", found: judge(request({ text: text("r2") })), expected: [] },
  { name: "a revision that nobody asked for is wrong", found: judge(request({ text: text("r3") })), expected: ["tokens"] },
  { name: "one token less is wrong", found: judge(request({ text: text("r1").slice(0, -1) })), expected: ["tokens"] },
  { name: "a token twice is wrong", found: judge(request({ text: `${text("r1")} ${text("r1")}` })), expected: ["tokens"] },
  {
    name: "two revisions in one answer are wrong",
    found: judge(request({ text: text("r1").slice(0, 20) + text("r2").slice(20) })),
    expected: ["tokens"],
  },
  {
    name: "two engines in one answer are wrong",
    found: judge(request({ answerIds: ["chatcmpl-1", "chatcmpl-2"] })),
    expected: ["one-engine"],
  },
  { name: "a cut answer that says so is right where something was broken", found: judge(request(cut), { isShaken: true }), expected: [] },
  { name: "and wrong where nothing was", found: judge(request(cut)), expected: ["isolation"] },
  {
    name: "a cut answer begins as the model's",
    found: judge(request({ ...cut, text: "Another beginning" }), { isShaken: true }),
    expected: ["tokens"],
  },
  {
    name: "an end without a word is wrong",
    found: judge(request({ ...cut, outcome: "broken" }), { isShaken: true }),
    expected: ["request-ends"],
  },
  {
    name: "unless its connection was cut by an event",
    found: judge(request({ ...cut, outcome: "broken" }), { isExcused: true }),
    expected: [],
  },
  {
    name: "a request that never ends is wrong",
    found: judge(request({ outcome: "open", endedAtMs: null, text: "" }), { isShaken: true }),
    expected: ["request-ends"],
  },
  { name: "a refusal is wrong where nothing was broken", found: judge(request({ outcome: "refused", text: "" })), expected: ["isolation"] },
  { name: "a client that went away has lost nothing", found: judge(request({ ...cut, outcome: "left" })), expected: [] },
];
for (const { name, found, expected } of cases) test(`requests are judged: ${name}`, () => assert.deepEqual(found, expected));

test("a service is calm before a fault, and after it only when it was whole for a while", () => {
  const shaken = new ShakenTimes();
  shaken.shake("tenant-a", 10_000, 12_000);
  for (let atMs = 10_250; atMs <= 20_000; atMs += 250) shaken.see("tenant-a", atMs, () => atMs < 10_500 || atMs >= 15_000);
  assert.ok(shaken.wasCalm("tenant-a", 0, 9_999), "before");
  assert.ok(!shaken.wasCalm("tenant-a", 9_000, 10_000), "reaching into it");
  assert.ok(!shaken.wasCalm("tenant-a", 11_000, 11_500), "whole by the status, but the fault is on");
  assert.ok(!shaken.wasCalm("tenant-a", 17_900, 30_000), "three seconds after it is whole");
  assert.ok(shaken.wasCalm("tenant-a", 18_001, 30_000), "later");
  assert.ok(shaken.wasCalm("tenant-b", 0, 30_000), "another service");
});
