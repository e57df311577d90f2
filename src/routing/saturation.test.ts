import assert from "node:assert/strict";
import test from "node:test";
import { isSaturated } from "./saturation.ts";

const OVERFLOW = { inFlightRatio: 0.9, queuedForMs: 100 };
const cases = [
  { name: "below the ratio without a queue has room", inFlight: 8, queuedForMs: 0, expected: false },
  { name: "at the ratio is saturated", inFlight: 9, queuedForMs: 0, expected: true },
  { name: "a queue that is young has room", inFlight: 1, queuedForMs: 99, expected: false },
  { name: "a queue for the stated time is saturated", inFlight: 1, queuedForMs: 100, expected: true },
];
for (const c of cases) {
  test(`saturation: ${c.name}`, () => assert.equal(isSaturated({ maxBatch: 10 }, c, OVERFLOW), c.expected));
}
