import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedClock } from "../clock/simulated.ts";
import { endWhenUnused } from "./end-when-unused.ts";

test("an account that nobody uses ends after a minute without a break, and not while an engine or a control plane is there", async () => {
  const clock = createSimulatedClock();
  const connections: ((count: number) => void)[] = [];
  const endsMs: number[] = [];
  const served = { connectionCount: () => 0, onConnections: (listener: (count: number) => void) => void connections.push(listener) };
  endWhenUnused(served, clock, () => endsMs.push(clock.monotonicMs()));
  const become = (count: number): void => {
    for (const listener of connections) listener(count);
  };
  await clock.advance(59_999);
  become(1);
  become(2);
  await clock.advance(600_000);
  become(1);
  become(0);
  await clock.advance(59_999);
  assert.deepEqual(endsMs, []);
  await clock.advance(1);
  assert.deepEqual(endsMs, [719_999]);
});
