import assert from "node:assert/strict";
import { test } from "node:test";
import { createKeptMap } from "./map-kept.ts";

test("what stands where it stood is not made anew, and a list of the same objects is the same list", () => {
  const [first, second, third] = [{ id: 1 }, { id: 2 }, { id: 3 }];
  const asked: number[] = [];
  const kept = createKeptMap(({ id }: { readonly id: number }) => {
    asked.push(id);
    return { name: `n${id}` };
  });
  const before = kept([first, second, third]);
  assert.equal(kept([first, second, third]), before);
  const after = kept([first, { id: 4 }, third]);
  assert.deepEqual(after, [{ name: "n1" }, { name: "n4" }, { name: "n3" }]);
  assert.deepEqual([after[0] === before[0], after[2] === before[2], asked], [true, true, [1, 2, 3, 4]]);
  assert.deepEqual(kept([first]), [{ name: "n1" }]);
  assert.deepEqual(kept([]), []);
  assert.deepEqual(kept([first, second]), [{ name: "n1" }, { name: "n2" }]);
});
