import assert from "node:assert/strict";
import { test } from "node:test";
import { startSpeedWorld } from "./speed-scenario.ts";

test("the world whose speed is measured serves two requests a second to the end, each run with one hash", async () => {
  const run = async () => (await startSpeedWorld(3)).run(20_000);
  const [first, again] = [await run(), await run()];
  assert.deepEqual(first.violations, []);
  assert.ok(first.requestCount >= 20 && first.requestCount <= 60, `${first.requestCount} requests`);
  assert.equal(first.completeCount, first.requestCount);
  assert.equal(first.hash, again.hash);
});
