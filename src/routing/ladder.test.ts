import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { monotonicMs } from "../base/ids.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import { endpoint, table } from "./fake-attempt.ts";
import { endpointKey, HealthIndex } from "./health.ts";
import { chooseEndpoint, type LadderView } from "./ladder.ts";
import { SmoothWeighted } from "./smooth-weighted.ts";

const HOT = endpoint("h");
const WARM = endpoint("w", { weight: 0 });

/** Traffic belongs to warm, and a share of it returns to hot. */
const returning = (returnPercent: number, change: Partial<RouteTable> = {}): RouteTable => ({
  ...table([HOT], [WARM]),
  serveFrom: "warm",
  returnPercent,
  ...change,
});

function viewOf(given: { readonly ejected?: RungEndpoint; readonly full?: RungEndpoint } = {}): LadderView {
  const health = new HealthIndex();
  const now = monotonicMs(0);
  if (given.ejected !== undefined) health.eject(given.ejected, [], { cause: "refused", now });
  if (given.full !== undefined) for (let index = 0; index < 10; index += 1) health.enter(given.full, now);
  return { health, weights: new SmoothWeighted(), woken: new Set(), now };
}

/** Of so many first picks, those that hot takes. */
function taken(table: RouteTable, view: LadderView, count: number): number {
  return Array.from({ length: count }, () => chooseEndpoint(table, view, [])).filter((choice) => choice?.level === "hot").length;
}

const cases: readonly { readonly name: string; readonly percent: number; readonly view: LadderView; readonly hotOf200: number }[] = [
  { name: "without a share nobody tries hot first", percent: 0, view: viewOf(), hotOf200: 0 },
  { name: "one in a hundred returns", percent: 1, view: viewOf(), hotOf200: 2 },
  { name: "one in ten returns", percent: 10, view: viewOf(), hotOf200: 20 },
  { name: "half returns", percent: 50, view: viewOf(), hotOf200: 100 },
  { name: "all return", percent: 100, view: viewOf(), hotOf200: 200 },
  { name: "with hot lost the lower rung takes its share too", percent: 50, view: viewOf({ ejected: HOT }), hotOf200: 0 },
  { name: "with hot full the lower rung takes its share too", percent: 50, view: viewOf({ full: HOT }), hotOf200: 0 },
  { name: "with the lower rung lost hot takes everything", percent: 1, view: viewOf({ ejected: WARM }), hotOf200: 200 },
  { name: "with the lower rung full hot takes everything", percent: 1, view: viewOf({ full: WARM }), hotOf200: 200 },
];
for (const c of cases) {
  test(`returning traffic: ${c.name}`, () => assert.equal(taken(returning(c.percent), c.view, 200), c.hotOf200));
}

test("returning traffic: a share says nothing where traffic belongs to hot", () => {
  assert.equal(taken(returning(1, { serveFrom: "hot" }), viewOf(), 10), 10);
});

test("returning traffic: a request that failed somewhere is no part of the share", () => {
  const choice = chooseEndpoint(returning(100), viewOf(), [endpointKey(endpoint("gone"))]);
  assert.equal(choice?.level, "warm");
});

test("returning traffic: any share is exact over a hundred picks, and never more than one ahead before", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 100 }), (percent) => {
      const view = viewOf();
      let hot = 0;
      for (let count = 1; count <= 100; count += 1) {
        hot += taken(returning(percent), view, 1);
        assert.ok(Math.abs(hot - (count * percent) / 100) <= 1, `${hot} of ${count} at ${percent} %`);
      }
      assert.equal(hot, percent);
    }),
    { seed: 41, numRuns: 101 },
  );
});
