import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { RouteTable } from "../api/route-table.ts";
import { A, B, decide, describeAttempt, endpoint, soft, table, W, type AttemptCase } from "./fake-attempt.ts";
import { FirstTokenWaits, HEDGE_FLOOR_MS, HEDGE_SAMPLES_MIN } from "./hedge.ts";
import { endpointKey } from "./health.ts";
import { prefillMs } from "./patience.ts";

const C = endpoint("c");
const platinum = (hot = [A, B], warm: readonly (typeof A)[] = []): RouteTable => ({ ...table(hot, warm), tier: "platinum" });
const late = { isLate: true, tried: [endpointKey(A)] };

const cases: readonly (AttemptCase & { readonly name: string; readonly expected: string })[] = [
  { name: "another engine that has room is asked too", table: platinum(), expected: "hedge b hot" },
  { name: "a Ready rung below is asked where hot has nobody else", table: platinum([A], [W]), expected: "hedge w warm" },
  { name: "hot that is full leaves it to the Ready rung below", table: platinum([A, B], [W]), busy: [[B, 9]], expected: "hedge w warm" },
  { name: "an engine that is alone is waited for", table: platinum([A]), expected: "stay no-room" },
  { name: "a full pool is left alone", table: platinum(), busy: [[B, 9]], expected: "stay no-room" },
  {
    name: "an engine that sleeps is not woken for it",
    table: platinum([A], [endpoint("z", { isReady: false, isAsleep: true })]),
    expected: "stay no-room",
  },
  { name: "an engine that is out is not asked", table: platinum(), ejected: [B], expected: "stay no-room" },
  { name: "with most engines out nobody is asked", table: platinum([A, B, C, W]), ejected: [A, B, C], expected: "stay panic" },
  { name: "without budget it waits", table: platinum(), canHedge: false, expected: "stay budget" },
  { name: "while others wait for room it waits", table: platinum(), isQueueAhead: true, expected: "stay overload" },
  { name: "gold waits", table: table([A, B]), expected: "stay tier" },
  {
    name: "after a failure it is tried again as any other",
    table: platinum(),
    request: { ...late, failure: soft },
    expected: "send b hot retry",
  },
  {
    name: "an answer that has begun is not late",
    table: platinum(),
    request: { ...late, hasFirstByte: true },
    expected: "fail-stream upstream_lost",
  },
];
for (const c of cases) test(`hedge: ${c.name}`, () => assert.equal(describeAttempt(decide({ request: late, ...c })), c.expected));

test("hedge: until enough was seen nobody knows when a first token is late", () => {
  const waits = new FirstTokenWaits();
  for (let count = 1; count < HEDGE_SAMPLES_MIN; count += 1) waits.add(100, 0);
  assert.equal(waits.hedgeAfterMs(0), null);
  waits.add(100, 0);
  assert.equal(waits.hedgeAfterMs(0), HEDGE_FLOOR_MS);
});

test("hedge: the wait is half as long again as the slowest but one in twenty, and the reading of its own prompt", () => {
  const waits = new FirstTokenWaits();
  for (let count = 1; count <= 100; count += 1) waits.add(prefillMs(4_000) + count * 10, 4_000);
  assert.equal(waits.hedgeAfterMs(0), 1.5 * 950);
  assert.equal(waits.hedgeAfterMs(8_000), 1.5 * 950 + prefillMs(8_000));
});

test("hedge: a pool that grows slow moves the wait with it, and is forgotten when it is fast again", () => {
  const waits = new FirstTokenWaits();
  const see = (tookMs: number): number => {
    for (let count = 0; count < 256; count += 1) waits.add(tookMs, 0);
    return waits.hedgeAfterMs(0) ?? Number.NaN;
  };
  assert.deepEqual([see(200), see(2_000), see(200)], [300, 3_000, 300]);
});

test("hedge: the wait is never shorter than its floor, nor than what is usual", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5_000), { minLength: HEDGE_SAMPLES_MIN, maxLength: 300 }), fc.nat(20_000), (tookMs, promptTokens) => {
      const waits = new FirstTokenWaits();
      for (const one of tookMs) waits.add(one, 0);
      const afterMs = (waits.hedgeAfterMs(promptTokens) ?? 0) - prefillMs(promptTokens);
      const seen = tookMs.slice(-256);
      assert.ok(afterMs >= HEDGE_FLOOR_MS);
      assert.ok(seen.filter((one) => one > afterMs).length <= seen.length / 20);
    }),
    { seed: 31 },
  );
});
