import assert from "node:assert/strict";
import { test } from "node:test";
import { hot1, hot2, steadyLadder } from "./fake-ladder.ts";

for (const { rtoTarget, withinMs } of [
  { rtoTarget: "5s", withinMs: 3_000 },
  { rtoTarget: "1s", withinMs: 1_000 },
]) {
  test(`a promise of ${rtoTarget} gives a wake ${withinMs} ms`, () => {
    const ladder = steadyLadder({ failoverPolicy: { rtoTarget } }).kill(hot1, hot2);
    const wakes = ladder.lookOnly().actions.filter((action) => action.type === "wake");
    assert.deepEqual(
      wakes.map((wake) => wake.withinMs),
      [withinMs],
    );
  });
}
