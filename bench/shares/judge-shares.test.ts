import assert from "node:assert/strict";
import { test } from "node:test";
import { containmentRow, interferenceRow, returnedRow, shareRow } from "./judge-shares.ts";
import { rateOf } from "./token-meter.ts";

const base = { name: "gold", asked: 0.8, alone: 400, profile: 400 };

for (const { name, beside, alone = 400, pass, value } of [
  { name: "what was asked", beside: 320, pass: true, value: 0 },
  { name: "less by a little", beside: 314, pass: true, value: 1.875 },
  { name: "more than 2 % less", beside: 313, pass: false, value: 2.1875 },
  { name: "more than 2 % above", beside: 330, pass: false, value: 3.125 },
  { name: "nothing", beside: null, pass: false, value: Number.POSITIVE_INFINITY },
  { name: "its share of an engine that was short of processor", beside: 320, alone: 380, pass: false, value: null },
]) {
  test(`shares bench: ${name} ${pass ? "passes" : "does not pass"}`, () => {
    const row = shareRow({ ...base, alone, beside });
    assert.equal(row.pass, pass);
    if (value === null || !Number.isFinite(value)) assert.equal(row.value, value);
    else assert.ok(Math.abs((row.value ?? Number.NaN) - value) < 1e-6);
  });
}

test("shares bench: a rate is of whole steps: what came before the first and after the last is no part of it", () => {
  const arrivals = [0, 1, 100, 101, 200, 201, 300].map((atMs) => ({ atMs, tokens: 4 }));
  assert.equal(rateOf(arrivals, 4), (20 * 1_000) / 300);
  assert.equal(rateOf(arrivals.slice(0, 2), 4), null);
});

test("shares bench: interference is compared with the published figure, and void without a sound control", () => {
  const measured = { alone: 100, beside: 50, profile: 100 };
  assert.deepEqual([interferenceRow("x", measured, 2.05).pass, interferenceRow("x", measured, 2.2).pass], [true, false]);
  assert.equal(interferenceRow("x", { ...measured, alone: 90 }, 2).value, null);
});

test("shares bench: containment later than 2 s, or never, and a share that does not come back, fail", () => {
  assert.deepEqual(
    [containmentRow("x", 2_000).pass, containmentRow("x", 2_001).pass, containmentRow("x", null).pass],
    [true, false, false],
  );
  assert.deepEqual(
    returnedRow({ before: 100, during: 20, after: 99 }).map(({ pass }) => pass),
    [true, true],
  );
  assert.deepEqual(
    returnedRow({ before: 100, during: 20, after: 90 }).map(({ pass }) => pass),
    [true, false],
  );
});
