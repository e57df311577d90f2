import assert from "node:assert/strict";
import { test } from "node:test";
import { hot1, hot2, steadyLadder } from "./fake-ladder.ts";

for (const [preferred, level] of [
  ["hot", "hot"],
  ["none", "warm"],
] as const) {
  test(`a service that prefers ${preferred} is on ${level} a minute after both hot instances came back`, () => {
    const ladder = steadyLadder({ failoverPolicy: { failback: { preferred, soak: "10s" } } }).kill(hot1, hot2);
    for (let second = 0; second < 60; second += 1) ladder.look(1_000);
    assert.equal(ladder.status?.level, level);
  });
}
