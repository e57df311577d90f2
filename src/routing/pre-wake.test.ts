import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { RouteTable } from "../api/route-table.ts";
import { monotonicMs } from "../base/ids.ts";
import { endpoint, table } from "./fake-attempt.ts";
import { endpointKey, type EndpointIdentity } from "./health.ts";
import { PRE_WAKE_EVERY_MS, wishToPreWake, type PreWakeView } from "./pre-wake.ts";
import type { WakeView } from "./wake-wish.ts";

const NOW = monotonicMs(100_000);
const [A, B, AWAKE] = [endpoint("a"), endpoint("b"), endpoint("w")];
const [Z1, Z2] = [endpoint("z1", { isReady: false, isAsleep: true }), endpoint("z2", { isReady: false, isAsleep: true })];
const WAKES: WakeView = { isTrusted: true, begun: new Set(), movesLeft: 3, wakingUntil: null, budgetMs: 3_000 };

const ladder = (hot = [A], warm = [Z1, Z2], change: Partial<RouteTable> = {}): RouteTable => {
  const of = table(hot, warm);
  const rungs = of.rungs.map((rung) => (rung.level === "warm" ? { ...rung, activation: { kind: "wake" } as const } : rung));
  return { ...of, rungs, knownAnswer: "tide", ...change };
};

interface Case {
  readonly name: string;
  readonly table?: RouteTable;
  readonly suspects?: readonly EndpointIdentity[];
  readonly out?: readonly EndpointIdentity[];
  readonly wakes?: Partial<WakeView>;
  readonly lastAgoMs?: number;
  readonly busy?: readonly string[];
  readonly expected: readonly string[] | null;
}

const cases: readonly Case[] = [
  { name: "all that serve are suspected: one sleeper is woken ahead", suspects: [A], expected: ["z1"] },
  { name: "nobody is suspected", suspects: [], expected: null },
  { name: "one of two is suspected", table: ladder([A, B]), suspects: [A], expected: null },
  { name: "both are suspected", table: ladder([A, B]), suspects: [A, B], expected: ["z1"] },
  { name: "one is out already, and the other suspected", table: ladder([A, B]), suspects: [B], out: [A], expected: ["z1"] },
  { name: "one is out already, and the other well", table: ladder([A, B]), suspects: [], out: [A], expected: null },
  { name: "another rung is awake and well", table: ladder([A], [AWAKE, Z1]), suspects: [A], expected: null },
  { name: "all are out: the loss itself wakes", suspects: [], out: [A], expected: null },
  { name: "under Hold", table: ladder([A], [Z1], { grants: { descent: "held", movesLeft: 0 } }), suspects: [A], expected: null },
  { name: "no moves are left", suspects: [A], wakes: { movesLeft: 0 }, expected: null },
  { name: "this gateway suspects itself", suspects: [A], wakes: { isTrusted: false }, expected: null },
  { name: "no known answer could verify it", table: ladder([A], [Z1], { knownAnswer: null }), suspects: [A], expected: null },
  { name: "a wake of the service runs", suspects: [A], wakes: { wakingUntil: monotonicMs(NOW + 1) }, expected: null },
  { name: "the first sleeper was begun at this generation", suspects: [A], wakes: { begun: new Set([endpointKey(Z1)]) }, expected: ["z2"] },
  { name: "the last one was a moment less than a minute ago", suspects: [A], lastAgoMs: PRE_WAKE_EVERY_MS - 1, expected: null },
  { name: "the last one was a minute ago", suspects: [A], lastAgoMs: PRE_WAKE_EVERY_MS, expected: ["z1"] },
  { name: "its link is used by a wake that runs", suspects: [A], busy: ["z1"], expected: null },
  { name: "nobody sleeps", table: ladder([A], []), suspects: [A], expected: null },
];

function view({ suspects = [], out = [], wakes = {}, lastAgoMs, busy = [] }: Omit<Case, "name" | "expected">): PreWakeView {
  const outKeys = new Set(out.map(endpointKey));
  return {
    health: { ejectionOf: (one) => (outKeys.has(endpointKey(one)) ? { cause: "silent", since: NOW, until: NOW } : null) },
    woken: new Set(),
    suspects: new Set(suspects.map(endpointKey)),
    wakes: { ...WAKES, ...wakes },
    lastAt: lastAgoMs === undefined ? null : monotonicMs(NOW - lastAgoMs),
    isLinkBusy: ({ instance }) => busy.includes(instance),
    now: NOW,
  };
}

for (const c of cases) {
  test(`pre-wake: ${c.name}`, () => {
    const wish = wishToPreWake(c.table ?? ladder(), view(c));
    assert.deepEqual(wish?.endpoints.map(({ instance }) => instance) ?? null, c.expected);
    assert.ok(wish === null || wish.because === "suspected");
  });
}

test("pre-wake: in any state at most one is woken, never while anybody is well, never under Hold, never twice a minute", () => {
  const some = fc.subarray([A, B]);
  const state = fc.record({
    hot: fc.subarray([A, B], { minLength: 1 }),
    suspects: some,
    out: some,
    descent: fc.constantFrom("automatic", "held"),
    lastAgoMs: fc.integer({ min: 0, max: 2 * PRE_WAKE_EVERY_MS }),
    begun: fc.subarray([Z1, Z2]),
    busy: fc.subarray(["z1", "z2"]),
  });
  let wokenCount = 0;
  fc.assert(
    fc.property(state, ({ hot, suspects, out, descent, lastAgoMs, begun, busy }) => {
      const of = ladder(hot, [Z1, Z2], { grants: { descent, movesLeft: 3 } });
      const wish = wishToPreWake(of, view({ suspects, out, lastAgoMs, busy, wakes: { begun: new Set(begun.map(endpointKey)) } }));
      if (wish === null) return;
      wokenCount += 1;
      assert.equal(wish.endpoints.length, 1);
      assert.ok(hot.every((one) => suspects.includes(one) || out.includes(one)) && hot.some((one) => !out.includes(one)));
      assert.ok(descent === "automatic" && lastAgoMs >= PRE_WAKE_EVERY_MS);
      assert.ok(wish.endpoints.every((one) => one.isAsleep && !begun.includes(one) && !busy.includes(one.instance)));
    }),
    { seed: 17, numRuns: 2_000 },
  );
  assert.ok(wokenCount > 20, `${wokenCount} woken`);
});
