import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isSameJson } from "./same-json.ts";

const cases: readonly { readonly name: string; readonly left: unknown; readonly right: unknown; readonly isSame: boolean }[] = [
  { name: "members in another order", left: { a: 1, b: 2 }, right: { b: 2, a: 1 }, isSame: true },
  { name: "a member without a value and an absent one", left: { a: 1, b: undefined }, right: { a: 1 }, isSame: true },
  { name: "a member without a value in place of another", left: { a: undefined, b: 1 }, right: { a: 1, b: undefined }, isSame: false },
  { name: "null and an absent member", left: { a: null }, right: {}, isSame: false },
  { name: "a list in another order", left: [1, 2], right: [2, 1], isSame: false },
  { name: "a list and an object of its members", left: [1], right: { 0: 1 }, isSame: false },
  { name: "an own member and an inherited name", left: { toString: 1 }, right: { a: 1 }, isSame: false },
  { name: "a number and its text", left: 1, right: "1", isSame: false },
];
for (const { name, left, right, isSame } of cases)
  test(`as JSON, ${name} are ${isSame ? "the same" : "different"}`, () => {
    assert.equal(isSameJson(left, right), isSame);
    assert.equal(isSameJson(right, left), isSame);
  });

test("values are the same as JSON exactly when their texts with sorted members are", () => {
  const tree = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(tree, tree, (left, right) => {
      assert.equal(isSameJson(left, right), text(left) === text(right));
      assert.equal(isSameJson(left, JSON.parse(JSON.stringify(left))), true);
    }),
    { seed: 5 },
  );
});

const text = (value: unknown): string =>
  JSON.stringify(value, (_key, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : member,
  );
