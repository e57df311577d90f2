import assert from "node:assert/strict";
import { test } from "node:test";
import { finish, type Steps } from "./steps.ts";

function* countTo(last: number): Steps<number> {
  let steps = 0;
  while (steps < last) {
    steps += 1;
    yield;
  }
  return steps;
}

test("work in steps gives its value whoever drives it", () => {
  assert.equal(finish(countTo(3)), 3);
  const driven = countTo(1);
  assert.deepEqual(
    [driven.next(), driven.next()],
    [
      { done: false, value: undefined },
      { done: true, value: 1 },
    ],
  );
});
