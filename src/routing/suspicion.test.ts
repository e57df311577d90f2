import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { monotonicMs } from "../base/ids.ts";
import {
  HANG_MS,
  isCutOff,
  isSelfSuspect,
  isSuspected,
  judge,
  PROBE_EVERY_MS,
  SILENCE_MS,
  type Evidence,
  type Unmoved,
  type Verdict,
} from "./suspicion.ts";

const NOW = 100_000;
const ago = (ms: number): ReturnType<typeof monotonicMs> => monotonicMs(NOW - ms);
/** Two looks so far apart, the last one just now. */
const span = (ms: number): Unmoved => ({ since: ago(ms), until: ago(0) });
const silent: Evidence = {
  waiting: 3,
  lastByteAt: ago(SILENCE_MS),
  lastTokenAt: ago(SILENCE_MS),
  hasLateStream: false,
  lastProbeAt: null,
  unanswered: 0,
  unmoved: null,
};

const cases: readonly { readonly name: string; readonly given: Partial<Evidence>; readonly expected: Verdict }[] = [
  { name: "silence with work owed is a reason to ask", given: {}, expected: { kind: "probe" } },
  { name: "silence without work owed is rest", given: { waiting: 0, unanswered: 9, unmoved: span(9_000) }, expected: { kind: "wait" } },
  {
    name: "a token just now ends every suspicion",
    given: { lastByteAt: ago(10), lastTokenAt: ago(10), unanswered: 9, unmoved: span(9_000) },
    expected: { kind: "wait" },
  },
  { name: "the next question waits for its time", given: { lastProbeAt: ago(PROBE_EVERY_MS - 1) }, expected: { kind: "wait" } },
  { name: "one unanswered probe is asked again", given: { unanswered: 1, lastProbeAt: ago(PROBE_EVERY_MS) }, expected: { kind: "probe" } },
  { name: "two unanswered probes in silence are death", given: { unanswered: 2 }, expected: { kind: "eject", cause: "silent" } },
  {
    name: "no step for more than the hang bound is death",
    given: { unmoved: span(HANG_MS + 1) },
    expected: { kind: "eject", cause: "no-progress" },
  },
  {
    name: "no step for the hang bound is a long step",
    given: { unmoved: span(HANG_MS), lastProbeAt: ago(1) },
    expected: { kind: "wait" },
  },
  {
    name: "the look that decides is not waited for",
    given: { unmoved: { since: ago(HANG_MS + 1), until: ago(60) }, lastProbeAt: ago(60) },
    expected: { kind: "probe" },
  },
  {
    name: "the look that decides is sent once",
    given: { unmoved: { since: ago(HANG_MS + 60), until: ago(200) }, lastProbeAt: ago(50) },
    expected: { kind: "wait" },
  },
  {
    name: "a head without a token is life, not progress",
    given: { lastByteAt: ago(10), unmoved: span(HANG_MS + 1) },
    expected: { kind: "eject", cause: "no-progress" },
  },
  {
    name: "a head just now is life",
    given: { lastByteAt: ago(10), unanswered: 2, lastProbeAt: ago(1) },
    expected: { kind: "wait" },
  },
  {
    name: "a late stream beside flowing ones is a reason to ask",
    given: { lastByteAt: ago(10), lastTokenAt: ago(10), hasLateStream: true },
    expected: { kind: "probe" },
  },
  {
    name: "a late stream beside flowing ones never ejects",
    given: { lastByteAt: ago(10), lastTokenAt: ago(10), hasLateStream: true, unanswered: 5, unmoved: span(9_000), lastProbeAt: ago(1) },
    expected: { kind: "wait" },
  },
];
for (const c of cases) test(`suspicion: ${c.name}`, () => assert.deepEqual(judge({ ...silent, ...c.given }, monotonicMs(NOW)), c.expected));

const signals: readonly { readonly name: string; readonly given: Partial<Evidence>; readonly expected: boolean }[] = [
  { name: "silence alone is no signal", given: {}, expected: false },
  { name: "a probe in vain in the silence is one", given: { unanswered: 1 }, expected: true },
  { name: "work without a step for 600 ms is one", given: { lastByteAt: ago(10), unmoved: span(600) }, expected: true },
  { name: "work without a step for less is none", given: { unmoved: span(599) }, expected: false },
  { name: "a token just now ends all signals", given: { lastTokenAt: ago(10), unanswered: 1, unmoved: span(600) }, expected: false },
  { name: "nobody who owes nothing is suspected", given: { waiting: 0, unanswered: 1, unmoved: span(600) }, expected: false },
];
for (const { name, given, expected } of signals)
  test(`suspicion: one signal: ${name}`, () => assert.equal(isSuspected({ ...silent, ...given }, monotonicMs(NOW)), expected));

test("suspicion: many silent endpoints on several nodes point at ourselves, one node's loss does not", () => {
  assert.equal(isSelfSuspect({ silentNodes: 1, silent: 1, owing: 1 }), false);
  assert.equal(isSelfSuspect({ silentNodes: 2, silent: 4, owing: 4 }), false);
  assert.equal(isSelfSuspect({ silentNodes: 3, silent: 3, owing: 6 }), false);
  assert.equal(isSelfSuspect({ silentNodes: 3, silent: 3, owing: 5 }), true);
});

const cutOffs: readonly { readonly name: string; readonly given: Parameters<typeof isCutOff>[0]; readonly expected: boolean }[] = [
  { name: "nobody was ever heard", given: { askedInVainAt: ago(400), lastHeardAt: null, others: 3 }, expected: true },
  { name: "nobody was heard since", given: { askedInVainAt: ago(400), lastHeardAt: ago(401), others: 1 }, expected: true },
  { name: "somebody was heard since", given: { askedInVainAt: ago(400), lastHeardAt: ago(400), others: 1 }, expected: false },
  { name: "there is nobody else to be heard", given: { askedInVainAt: ago(400), lastHeardAt: null, others: 0 }, expected: false },
];
for (const c of cutOffs) test(`suspicion: cut off, ${c.name}`, () => assert.equal(isCutOff(c.given), c.expected));

const anyAgo = fc.integer({ min: 0, max: 5_000 }).map((ms) => ago(ms));
const anyEvidence: fc.Arbitrary<Evidence> = fc.record({
  waiting: fc.integer({ min: 0, max: 3 }),
  lastByteAt: anyAgo,
  lastTokenAt: anyAgo,
  hasLateStream: fc.boolean(),
  lastProbeAt: fc.option(anyAgo),
  unanswered: fc.integer({ min: 0, max: 4 }),
  unmoved: fc.option(fc.integer({ min: 0, max: 5_000 }).map((ms) => span(ms))),
});
test("suspicion: no single signal ejects: what is seen in passing and what was asked for must agree", () => {
  const seenAlive: Partial<Evidence> = { lastByteAt: ago(0), lastTokenAt: ago(0) };
  const askedAlive: Partial<Evidence> = { unanswered: 0, unmoved: null };
  let ejections = 0;
  fc.assert(
    fc.property(anyEvidence, (evidence) => {
      if (judge(evidence, monotonicMs(NOW)).kind === "eject") ejections += 1;
      for (const life of [seenAlive, askedAlive, { waiting: 0 }])
        assert.notEqual(judge({ ...evidence, ...life }, monotonicMs(NOW)).kind, "eject");
    }),
    { numRuns: 5_000, seed: 20_261_126 },
  );
  assert.ok(ejections > 500, `${ejections} cases ejected`);
});
