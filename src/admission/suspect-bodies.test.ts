import assert from "node:assert/strict";
import test from "node:test";
import { monotonicMs } from "../base/ids.ts";
import { SUSPECT_FOR_MS, SuspectBodies, type BodyIdentity } from "./suspect-bodies.ts";

const NOW = monotonicMs(1_000);
const body = (text: string): BodyIdentity => ({ bytes: text.length, fingerprint: () => `digest of ${text}` });
const STOOD = { deaths: ["a", "b"], isTrial: false };
const kindOf = (bodies: SuspectBodies<string>, text: string, now = NOW): string => bodies.admit(body(text), now).kind;

test("suspect bodies: one that stood at two deaths is tried once more, alone, and refused when it kills again", () => {
  const bodies = new SuspectBodies<string>();
  assert.equal(kindOf(bodies, "poison"), "free");
  bodies.convict(body("poison"), STOOD, NOW);
  assert.equal(kindOf(bodies, "other!"), "free");
  assert.equal(kindOf(bodies, "poison"), "trial");
  assert.equal(kindOf(bodies, "poison"), "refuse");
  bodies.convict(body("poison"), { deaths: ["a", "b", "c"], isTrial: true }, NOW);
  assert.equal(kindOf(bodies, "poison"), "refuse");
});

test("suspect bodies: a try that is answered clears the body, one without an end is tried again", () => {
  const bodies = new SuspectBodies<string>();
  bodies.convict(body("unlucky"), STOOD, NOW);
  const first = bodies.admit(body("unlucky"), NOW);
  assert.ok(first.kind === "trial");
  assert.deepEqual(first.body.deaths, ["a", "b"]);
  bodies.trialEnded(first.body);
  const second = bodies.admit(body("unlucky"), NOW);
  assert.ok(second.kind === "trial");
  bodies.answered(second.body);
  assert.deepEqual([kindOf(bodies, "unlucky"), bodies.count], ["free", 0]);
});

test("suspect bodies: an answer does not take a refusal back", () => {
  const bodies = new SuspectBodies<string>();
  bodies.convict(body("poison"), STOOD, NOW);
  const trial = bodies.admit(body("poison"), NOW);
  assert.ok(trial.kind === "trial");
  bodies.convict(body("poison"), { deaths: ["a", "b", "c"], isTrial: true }, NOW);
  bodies.answered(trial.body);
  bodies.trialEnded(trial.body);
  assert.equal(kindOf(bodies, "poison"), "refuse");
});

test("suspect bodies: a lost answer is only noted, with its deaths for the next time", () => {
  const bodies = new SuspectBodies<string>();
  bodies.note(body("cut"), "a", NOW);
  bodies.note(body("cut"), "b", NOW);
  const noted = bodies.admit(body("cut"), NOW);
  assert.ok(noted.kind === "noted");
  assert.deepEqual(noted.body.deaths, ["a", "b"]);
  bodies.convict(body("cut"), { deaths: ["a", "b", "c"], isTrial: false }, NOW);
  assert.equal(kindOf(bodies, "cut"), "trial");
});

test("suspect bodies: after its time a body is free", () => {
  const bodies = new SuspectBodies<string>();
  bodies.convict(body("poison"), STOOD, NOW);
  bodies.admit(body("poison"), NOW);
  assert.equal(kindOf(bodies, "poison", monotonicMs(NOW + SUSPECT_FOR_MS - 1)), "refuse");
  assert.equal(kindOf(bodies, "poison", monotonicMs(NOW + SUSPECT_FOR_MS)), "free");
  assert.equal(bodies.count, 0);
});

test("suspect bodies: the oldest makes room, and bodies of unknown size are not digested", () => {
  const bodies = new SuspectBodies<string>(2);
  assert.equal(bodies.note(body("one"), "a", NOW), false);
  assert.equal(bodies.convict(body("three"), STOOD, NOW), false);
  assert.equal(bodies.convict(body("two"), STOOD, NOW), true);
  assert.deepEqual([bodies.count, kindOf(bodies, "one"), kindOf(bodies, "three"), kindOf(bodies, "two")], [2, "free", "trial", "trial"]);
  const dear: BodyIdentity = { bytes: 4_000_000, fingerprint: () => assert.fail("digested") };
  assert.equal(bodies.admit(dear, NOW).kind, "free");
});

test("suspect bodies: many requests with one body at the same two deaths leave it its one try", () => {
  const bodies = new SuspectBodies<string>();
  for (let count = 0; count < 10; count += 1) bodies.convict(body("ping"), STOOD, NOW);
  assert.deepEqual([kindOf(bodies, "ping"), kindOf(bodies, "ping")], ["trial", "refuse"]);
});
