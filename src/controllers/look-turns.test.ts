import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createLookTurns } from "./look-turns.ts";

const keys = (count: number): ReadonlySet<string> => new Set(Array.from({ length: count }, (_, index) => `g${index}`));
const NOBODY: ReadonlySet<string> = new Set();

test("all that fit into one look are in each", () => {
  const turns = createLookTurns(3);
  const all = keys(3);
  for (let look = 0; look < 3; look += 1) assert.deepEqual([...turns.next(all, NOBODY)].toSorted(), ["g0", "g1", "g2"]);
});

test("of more than fit, whoever waits longest is next, and those who come first are in each look", () => {
  const turns = createLookTurns(2);
  const all = keys(5);
  assert.deepEqual(turns.next(all, NOBODY), ["g0", "g1"]);
  assert.deepEqual(turns.next(all, NOBODY), ["g2", "g3"]);
  assert.deepEqual(turns.next(all, new Set(["g3"])), ["g3", "g4"]);
  assert.deepEqual(turns.next(all, new Set(["gone"])), ["gone", "g0"]);
});

test("with any who come and go, a look is never too large, and nobody who stays waits longer than the others take", () => {
  const steps = fc.array(fc.record({ count: fc.integer({ min: 1, max: 12 }), first: fc.nat(12) }), { minLength: 30, maxLength: 60 });
  const property = fc.property(fc.integer({ min: 2, max: 5 }), steps, (most, looks) => {
    const turns = createLookTurns(most);
    // Each look may be of another set; g0 is in all of them.
    let sinceMine = 0;
    for (const { count, first } of looks) {
      const chosen = turns.next(keys(count), first < count ? new Set([`g${first}`]) : NOBODY);
      assert.ok(chosen.length <= most && new Set(chosen).size === chosen.length);
      sinceMine = chosen.includes("g0") ? 0 : sinceMine + 1;
      // One place may go to who comes first; all others of twelve share the rest.
      assert.ok(sinceMine <= Math.ceil(12 / (most - 1)));
    }
  });
  fc.assert(property);
});
