import assert from "node:assert/strict";
import { test } from "node:test";
import { createRemembered } from "./remember.ts";

test("of the same parts nothing is made anew, and two who ask in turn do not drive each other out", () => {
  const [first, second, third] = [{ id: 1 }, { id: 2 }, { id: 3 }];
  const remembered = createRemembered<string>();
  const made: string[] = [];
  const ask = (...parts: readonly { readonly id: number }[]): string =>
    remembered(parts, () => {
      const value = parts.map(({ id }) => id).join("+");
      made.push(value);
      return value;
    });
  assert.deepEqual([ask(first, second), ask(first), ask(first, second), ask(first)], ["1+2", "1", "1+2", "1"]);
  assert.deepEqual(made, ["1+2", "1"]);
  // Equal is not the same: another object may be about to differ.
  assert.deepEqual([ask({ id: 1 }), ask(third), ask(first, second)], ["1", "3", "1+2"]);
  assert.deepEqual(made, ["1+2", "1", "1", "3", "1+2"]);
});

test("a list of parts that grows after it was asked about is another list", () => {
  const remembered = createRemembered<number>();
  const parts = [{ id: 1 }];
  assert.equal(
    remembered(parts, () => 1),
    1,
  );
  parts.push({ id: 2 });
  assert.equal(
    remembered(parts, () => 2),
    2,
  );
});
