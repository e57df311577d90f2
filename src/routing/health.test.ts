import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { generation, monotonicMs, uid } from "../base/ids.ts";
import { EJECTION_BASE_MS, EJECTION_DECAY_MS, EJECTION_MAX_MS, endpointKey, HealthIndex, type EndpointIdentity } from "./health.ts";

const endpoint = (name: string, count = 1): EndpointIdentity => ({ uid: uid(name), generation: generation(count) });
const A = endpoint("a");
const B = endpoint("b");
const POOL = [A, B];
const at = monotonicMs;

function lengthMs(health: HealthIndex, now: number): number {
  const ejection = health.eject(A, POOL, { cause: "reset", now: at(now) });
  return ejection === null ? 0 : ejection.until - ejection.since;
}

test("health: an ejection grows with each repetition, up to its largest, and decays in healthy time", () => {
  const health = new HealthIndex();
  const lengths = [];
  for (let round = 0; round < 8; round += 1) {
    lengths.push(lengthMs(health, 100_000));
    health.restore(A, at(100_000));
  }
  assert.deepEqual(
    lengths,
    [1, 2, 4, 8, 16, 30, 30, 30].map((factor) => factor * EJECTION_BASE_MS),
  );
  assert.equal(EJECTION_MAX_MS, 30 * EJECTION_BASE_MS);
  assert.equal(lengthMs(health, 100_000 + 7 * EJECTION_DECAY_MS), 2 * EJECTION_BASE_MS);
  health.restore(A, at(200_000));
  assert.equal(lengthMs(health, 200_000 + 9 * EJECTION_DECAY_MS), EJECTION_BASE_MS);
});

test("health: whatever it went through an ejection is between its least and its most, and shorter only after healthy time", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 4 * EJECTION_DECAY_MS }), { maxLength: 40 }), (healthyMs) => {
      const health = new HealthIndex();
      let now = 100_000;
      let before = 0;
      for (const waitMs of healthyMs) {
        now += waitMs;
        const length = lengthMs(health, now);
        assert.ok(length >= EJECTION_BASE_MS && length <= EJECTION_MAX_MS);
        if (waitMs < EJECTION_DECAY_MS)
          assert.ok(length === Math.min(EJECTION_MAX_MS, Math.max(EJECTION_BASE_MS, 2 * before)), `${before} then ${length}`);
        else assert.ok(length <= Math.max(EJECTION_BASE_MS, before));
        before = length;
        health.restore(A, at(now));
      }
      assert.equal(lengthMs(health, now + (healthyMs.length + 1) * EJECTION_DECAY_MS), EJECTION_BASE_MS);
    }),
    { seed: 17, numRuns: 200 },
  );
});

test("health: three good answers in a row end a doubt, two do not", () => {
  const health = new HealthIndex();
  assert.equal(health.eject(A, [A], { cause: "5xx", now: at(0) }), null);
  assert.equal(health.isDoubted(A), true);
  for (const isFailure of [false, false, true, false, false]) health.recordAnswer(A, isFailure);
  assert.equal(health.isDoubted(A), true);
  health.recordAnswer(A, false);
  assert.equal(health.isDoubted(A), false);
});

test("health: an endpoint is ejected once, and comes back only by being restored", () => {
  const health = new HealthIndex();
  assert.notEqual(health.eject(A, POOL, { cause: "silent", now: at(0) }), null);
  assert.equal(health.eject(A, POOL, { cause: "reset", now: at(1) }), null);
  assert.equal(health.ejectionOf(A)?.cause, "silent");
  health.restore(A, at(5_000));
  assert.equal(health.ejectionOf(A), null);
});

test("health: a new generation starts clean", () => {
  const health = new HealthIndex();
  health.eject(A, POOL, { cause: "refused", now: at(0) });
  assert.equal(health.ejectionOf(endpoint("a", 2)), null);
});

test("health: three failures in a row are enough, and success between them is not", () => {
  const health = new HealthIndex();
  assert.deepEqual(
    [true, true, true].map((isFailure) => health.recordAnswer(A, isFailure)),
    [false, false, true],
  );
  const verdicts = [true, true, false, false, true, false, false].map((isFailure) => health.recordAnswer(B, isFailure));
  assert.deepEqual(verdicts, [false, false, false, false, false, false, false]);
});

test("health: a failing majority is enough once there are five samples", () => {
  const health = new HealthIndex();
  const verdicts = [true, true, false, true, true].map((isFailure) => health.recordAnswer(A, isFailure));
  assert.deepEqual(verdicts, [false, false, false, false, true]);
});

test("health: a soft cause never takes the last endpoint, a hard one does", () => {
  for (const cause of ["5xx", "stall"] as const) {
    const health = new HealthIndex();
    assert.equal(health.eject(A, [A], { cause, now: at(0) }), null);
    assert.notEqual(health.eject(A, POOL, { cause, now: at(0) }), null);
    assert.equal(health.eject(B, POOL, { cause, now: at(0) }), null);
  }
  const health = new HealthIndex();
  for (const one of POOL) assert.notEqual(health.eject(one, POOL, { cause: "refused", now: at(0) }), null);
});

test("health: soft causes leave somebody in any order of events", () => {
  const events = fc.array(fc.record({ who: fc.integer({ min: 0, max: 3 }), isReturn: fc.boolean() }), { maxLength: 60 });
  fc.assert(
    fc.property(events, (list) => {
      const pool = ["a", "b", "c", "d"].map((name) => endpoint(name));
      const health = new HealthIndex();
      for (const [index, event] of list.entries()) {
        const one = pool[event.who];
        if (one === undefined) continue;
        if (event.isReturn) health.restore(one, at(index));
        else health.eject(one, pool, { cause: "5xx", now: at(index) });
        assert.ok(pool.some((other) => health.ejectionOf(other) === null));
      }
    }),
  );
});

test("health: a request leaves its endpoint once, and what no table names is forgotten when empty", () => {
  const health = new HealthIndex();
  const one = health.enter({ ...A, maxBatch: 8 }, at(0));
  health.enter({ ...A, maxBatch: 8 }, at(0));
  one.release();
  one.release();
  assert.equal(health.inFlight(A), 1);
  health.eject(B, POOL, { cause: "reset", now: at(0) });
  health.retain(new Set([endpointKey(endpoint("c"))]));
  assert.equal(health.inFlight(A), 1);
  assert.equal(health.ejectionOf(B), null);
});

test("health: a queue inside an engine counts from its beginning, by in flight or by the engine's word, which does not last", () => {
  const health = new HealthIndex();
  const small = { ...A, maxBatch: 1 };
  const first = health.enter(small, at(0));
  assert.equal(health.queuedForMs(A, at(50)), 0);
  const second = health.enter(small, at(50));
  assert.equal(health.queuedForMs(A, at(150)), 100);
  second.release();
  first.release();
  assert.equal(health.queuedForMs(A, at(200)), 0);
  health.sawQueue(A, 3, at(200));
  health.sawQueue(A, 1, at(900));
  assert.equal(health.queuedForMs(A, at(1_000)), 800);
  health.sawQueue(A, 0, at(1_100));
  assert.equal(health.queuedForMs(A, at(1_200)), 0);
  health.sawQueue(A, 1, at(2_000));
  assert.equal(health.queuedForMs(A, at(3_100)), 0);
});
