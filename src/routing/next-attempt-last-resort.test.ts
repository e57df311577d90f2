import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { RungEndpoint } from "../api/route-table.ts";
import { monotonicMs } from "../base/ids.ts";
import { A, B, decide, describeAttempt, hard, S, sleeping, small, soft, table, W, Z1, Z2, type AttemptCase } from "./fake-attempt.ts";
import { endpointKey } from "./health.ts";

interface Case extends AttemptCase {
  readonly name: string;
  readonly expected: string;
}

/** Nobody of the service is well: who takes the request all the same? */
const cases: readonly Case[] = [
  {
    name: "before the queue's time is over no other model is asked",
    table: table([A]),
    ejected: [A],
    degraded: [small()],
    expected: "hold 1000",
  },
  {
    name: "when it is over the other model is asked",
    table: table([A]),
    ejected: [A],
    degraded: [small()],
    now: 1_000,
    expected: "degrade small s first",
  },
  { name: "who has its own engine is never degraded", table: table([A]), degraded: [small()], now: 1_000, expected: "send a hot first" },
  {
    name: "a model before the queue is asked at once",
    table: table([A]),
    ejected: [A],
    degraded: [small({ beforeEndMs: 1_000 })],
    expected: "degrade small s first",
  },
  {
    name: "a model between two queues is asked after the first",
    table: table([A]),
    ejected: [A],
    degraded: [small({ beforeEndMs: 400 })],
    now: 500,
    expected: "hold 600",
  },
  {
    name: "a model without room is asked again while the queue lasts",
    table: table([A]),
    ejected: [A],
    busy: [[S, 5]],
    degraded: [small({ beforeEndMs: 1_000 })],
    now: 100,
    expected: "hold 350",
  },
  {
    name: "a wake of its own is waited for before another model answers",
    table: sleeping(),
    ejected: [A],
    degraded: [small()],
    wakes: { begun: new Set([Z1, Z2].map(endpointKey)), wakingUntil: monotonicMs(3_000) },
    now: 2_000,
    expected: "hold 3000",
  },
  {
    name: "who may not wait goes to the other model at once",
    table: table([A]),
    ejected: [A],
    degraded: [small()],
    canHold: false,
    expected: "degrade small s first",
  },
  {
    name: "with the other service lost too it is shed",
    table: { ...table([A]), degraded: [{ kind: "queue", upToMs: 1_000 }, { kind: "model", name: "small" }, { kind: "shed" }] },
    ejected: [A, S],
    degraded: [small()],
    now: 1_000,
    expected: "refuse shed after 1000",
  },
  {
    name: "after a death the other model answers, but not where it failed",
    table: table([A]),
    ejected: [A],
    degraded: [small(), small({ model: "other", table: table([B]) })],
    request: { failure: hard, tried: [endpointKey(A), endpointKey(S)] },
    now: 1_000,
    expected: "degrade other b reroute",
  },
  {
    name: "a quarantined request is tried nowhere",
    table: table([A, B]),
    degraded: [small()],
    request: { isQuarantined: true, failure: hard },
    expected: "refuse request_quarantined",
  },
  {
    name: "with all others dead one that answers badly takes it",
    table: table([A, B]),
    ejected: [B],
    ailing: [A],
    expected: "send a hot first",
  },
  {
    name: "one that answers badly is passed over while another is well",
    table: table([A], [W]),
    ailing: [A],
    expected: "send w warm first",
  },
  {
    name: "one that answers badly waits for no other model, but where it failed it is not sent again",
    table: table([A]),
    ailing: [A],
    degraded: [small()],
    request: { failure: soft, tried: [endpointKey(A)] },
    now: 1_000,
    expected: "degrade small s retry",
  },
  {
    name: "who sleeps is woken before one that answers badly is asked",
    table: sleeping(),
    ailing: [A],
    expected: "hold 1000, wake z1+z2 lost",
  },
  {
    name: "a wake that runs is waited for before one that answers badly is asked",
    table: sleeping(),
    ailing: [A],
    wakes: { begun: new Set([Z1, Z2].map(endpointKey)), wakingUntil: monotonicMs(3_000) },
    now: 2_000,
    expected: "hold 3000",
  },
];
for (const c of cases) test(`next attempt: ${c.name}`, () => assert.equal(describeAttempt(decide(c)), c.expected));

test("next attempt: whoever is well is sent to, else whoever answers badly, and never whoever is dead", () => {
  const state = fc.constantFrom("well", "ailing", "dead");
  const pool = [A, B, W];
  fc.assert(
    fc.property(fc.tuple(state, state, state), fc.subarray([...pool]), (states, tried) => {
      const inState = (kind: string): readonly RungEndpoint[] => pool.filter((_one, index) => states[index] === kind);
      const request = { failure: tried.length === 0 ? null : soft, tried: tried.map(endpointKey) };
      const next = decide({ table: table([A, B], [W]), request, ejected: inState("dead"), ailing: inState("ailing") });
      const well = inState("well");
      const expected = well.length > 0 ? well : inState("ailing").filter((one) => !tried.includes(one));
      if (expected.length === 0) assert.equal(next.kind, "hold");
      else assert.ok(next.kind === "send" && expected.includes(next.choice.endpoint));
    }),
    { numRuns: 500, seed: 20_261_126 },
  );
});
