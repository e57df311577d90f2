import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { monotonicMs } from "../base/ids.ts";
import { endpoint, table } from "./fake-attempt.ts";
import { HealthIndex } from "./health.ts";
import { chooseEndpoint, type LadderView } from "./ladder.ts";
import { SLOW_START_MS, SLOW_START_RATIO_MIN, slowStartRatio } from "./slow-start.ts";
import { SmoothWeighted } from "./smooth-weighted.ts";

const at = monotonicMs;
const cases = [
  { name: "who was always there takes its whole share", returnedAt: null, now: 0, ratio: 1 },
  { name: "who has just come takes a tenth", returnedAt: at(1_000), now: 1_000, ratio: SLOW_START_RATIO_MIN },
  { name: "half of the time brings a little more than half", returnedAt: at(1_000), now: 6_000, ratio: 0.55 },
  { name: "after its time it takes everything", returnedAt: at(1_000), now: 11_000, ratio: 1 },
  { name: "long after it no more than that", returnedAt: at(1_000), now: 99_000, ratio: 1 },
  { name: "a clock that stands before its return is its return", returnedAt: at(1_000), now: 900, ratio: SLOW_START_RATIO_MIN },
];
for (const c of cases) test(`slow start: ${c.name}`, () => assert.equal(slowStartRatio(c.returnedAt, at(c.now)), c.ratio));

test("slow start: a share never falls with time, and is never none", () => {
  fc.assert(
    fc.property(fc.nat(20_000), fc.nat(20_000), (early, late) => {
      const [first, second] = [Math.min(early, late), Math.max(early, late)].map((ms) => slowStartRatio(at(0), at(ms)));
      assert.ok(first !== undefined && second !== undefined && SLOW_START_RATIO_MIN <= first && first <= second && second <= 1);
    }),
    { seed: 5 },
  );
});

const OLD = endpoint("old", { weight: 80 });
const NEW = endpoint("new", { weight: 20 });
const WARM = [endpoint("w1", { weight: 0, maxBatch: 100 }), endpoint("w2", { weight: 0, maxBatch: 100 })] as const;

function viewAt(now: number, health = new HealthIndex()): LadderView {
  return { health, weights: new SmoothWeighted(), woken: new Set(), now: at(now) };
}

/** Of a hundred picks, those that the newcomer gets. */
function picksOfNew(view: LadderView, hot = [OLD, NEW]): number {
  return Array.from({ length: 100 }, () => chooseEndpoint(table(hot), view, [])).filter((one) => one?.endpoint === NEW).length;
}

test("slow start: a newcomer's part of 80 to 20 rises to exactly its weight", () => {
  const health = new HealthIndex();
  health.cameIn(NEW, at(0));
  const weights = new SmoothWeighted();
  const taken = [0, 2_500, 5_000, 7_500, SLOW_START_MS].map((now) => picksOfNew({ ...viewAt(now, health), weights }));
  assert.deepEqual(taken, [2, 8, 12, 16, 20]);
});

test("slow start: who comes back from an ejection starts slowly, and alone takes everything", () => {
  const health = new HealthIndex();
  health.eject(NEW, [OLD, NEW], { cause: "reset", now: at(0) });
  health.restore(NEW, at(5_000));
  assert.ok(picksOfNew(viewAt(5_000, health)) <= 3);
  assert.equal(picksOfNew(viewAt(5_000, health), [NEW]), 100);
  health.eject(OLD, [OLD, NEW], { cause: "reset", now: at(5_000) });
  assert.equal(picksOfNew(viewAt(5_000, health)), 100);
});

test("slow start: two that came together share as their weights say", () => {
  const health = new HealthIndex();
  for (const one of [OLD, NEW]) health.cameIn(one, at(0));
  assert.equal(picksOfNew(viewAt(100, health)), 20);
});

test("slow start: of two that take what spills over the newcomer gets the smaller part", () => {
  const health = new HealthIndex();
  const [first, second] = WARM;
  health.cameIn(second, at(0));
  for (let count = 0; count < 55; count += 1) {
    const choice = chooseEndpoint(table([], WARM), viewAt(0, health), []);
    assert.ok(choice !== null);
    health.enter(choice.endpoint, at(0));
  }
  assert.deepEqual([health.inFlight(first), health.inFlight(second)], [50, 5]);
});

test("slow start: while a newcomer's neighbours are full it takes all that comes", () => {
  const health = new HealthIndex();
  health.cameIn(NEW, at(0));
  for (let count = 0; count < OLD.maxBatch; count += 1) health.enter(OLD, at(0));
  assert.equal(picksOfNew(viewAt(0, health)), 100);
});

test("doubt: who answers badly and stays in keeps a small share beside those that are well", () => {
  const health = new HealthIndex();
  const [first, second, third] = ["a", "b", "c"].map((name) => endpoint(name));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const pool = [first, second, third];
  assert.notEqual(health.eject(first, pool, { cause: "5xx", now: at(0) }), null);
  assert.equal(health.eject(second, pool, { cause: "5xx", now: at(0) }), null);
  const view = viewAt(0, health);
  const picks = Array.from({ length: 105 }, () => chooseEndpoint(table(pool), view, [])?.endpoint.instance);
  assert.deepEqual(
    ["a", "b", "c"].map((name) => picks.filter((pick) => pick === name).length),
    [0, 5, 100],
  );
});

test("doubt: a rung where all who are in answer badly leaves most requests to a rung that is well", () => {
  const health = new HealthIndex();
  const hot = [OLD, NEW];
  const warm = [endpoint("w", { weight: 0 })];
  const pool = [...hot, ...warm];
  for (const one of hot) health.eject(one, pool, { cause: "5xx", now: at(0) });
  assert.deepEqual(
    hot.map((one) => health.isDoubted(one)),
    [false, true],
  );
  const view = viewAt(0, health);
  const levels = Array.from({ length: 100 }, () => chooseEndpoint(table(hot, warm), view, [])?.level);
  assert.equal(levels.filter((level) => level === "warm").length, 95);
  assert.equal(chooseEndpoint(table(hot, warm), view, ["gone/1"])?.level, "warm", "a retry goes where it is well");
});
