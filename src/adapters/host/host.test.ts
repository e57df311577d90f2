import { test } from "node:test";
import assert from "node:assert/strict";
import { createSystemClock } from "../clock/system.ts";
import { createSimulatedHost } from "./simulated.ts";
import { createSystemHost } from "./system.ts";

test("the system's host sees a blocked event loop and the process's memory", async () => {
  const host = createSystemHost();
  const clock = createSystemClock();
  await clock.sleep(25, new AbortController().signal);
  const untilMs = clock.monotonicMs() + 80;
  while (clock.monotonicMs() < untilMs) assert.ok(host.residentBytes() > 1_000_000);
  await clock.sleep(25, new AbortController().signal);
  assert.ok(host.loopLagMs() >= 50, `the lag is ${host.loopLagMs()} ms`);
});

test("a simulated host lags as told", () => {
  const host = createSimulatedHost();
  assert.equal(host.loopLagMs(), 0);
  host.setLoopLagMs(40);
  assert.equal(host.loopLagMs(), 40);
});
