import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Tier } from "../api/hot-standby-config.ts";
import { NO_BURN, type ErrorBudget } from "../api/service-status.ts";
import { gatewayId, wallMs } from "../base/ids.ts";
import { formatWall } from "../base/time.ts";
import type { EpisodeView } from "./episode-view.ts";
import { burnAfter, errorBudgetMs, forgiven, isBudgetSpent, tellBudget } from "./error-budget.ts";
import { episodeAt, WALL } from "./fake-ladder.ts";

const rtoTargetMs = 5_000;
const DAY_MS = 24 * 3_600_000;
const at = (offsetMs: number): string => formatWall(wallMs(WALL + offsetMs));
const burn = (before: ErrorBudget, episodes: readonly EpisodeView[], nowMs = 60_000): ErrorBudget =>
  burnAfter(before, { episodes, nowMs: wallMs(WALL + nowMs), rtoTargetMs });
/** All of its clients were refused, the last of them after `forMs`. */
const refused = (faultMs: number, forMs: number): EpisodeView =>
  episodeAt(faultMs, { to: null, rtoMs: null, firstGoodTokenAtMs: null, endedAtMs: wallMs(WALL + faultMs + forMs) });

const cases: readonly { readonly name: string; readonly episodes: readonly EpisodeView[]; readonly burned: readonly [number, number] }[] = [
  { name: "a recovery in time burns nothing", episodes: [episodeAt(0, { rtoMs: 5_000 })], burned: [0, 0] },
  { name: "a late recovery burns what it was late", episodes: [episodeAt(0, { rtoMs: 7_500 })], burned: [2_500, 1] },
  { name: "two late losses burn both", episodes: [episodeAt(0, { rtoMs: 6_000 }), episodeAt(9_000, { rtoMs: 8_000 })], burned: [4_000, 2] },
  {
    name: "what two gateways tell of one loss burns the longer once",
    episodes: [episodeAt(0, { rtoMs: 6_000 }), episodeAt(400, { gateway: gatewayId("g2"), rtoMs: 9_000 })],
    burned: [4_000, 1],
  },
  {
    name: "a loss that goes on burns nothing yet",
    episodes: [episodeAt(0, { rtoMs: 9_000, isOver: false, endedAtMs: null })],
    burned: [0, 0],
  },
  { name: "an outage whose clients were all refused burns as long as they were", episodes: [refused(0, 65_000)], burned: [60_000, 1] },
  {
    name: "an outage that is told of in parts is one loss",
    episodes: [refused(0, 10_000), refused(3, 70_000), episodeAt(5, { rtoMs: 300 })],
    burned: [65_000, 1],
  },
  { name: "a loss that hurt nobody burns nothing", episodes: [{ ...refused(0, 65_000), affected: 0 }], burned: [0, 0] },
];
for (const c of cases) {
  test(`error budget: ${c.name}`, () => {
    const after = burn(NO_BURN, c.episodes);
    assert.deepEqual([after.burnedMs, after.lateCount, after.windowStart], [...c.burned, c.burned[0] > 0 ? at(60_000) : null]);
    assert.deepEqual(burn(after, c.episodes, 61_000), after, "what is told again is not counted again");
  });
}

test("error budget: of a loss that turns out longer only the rest is counted", () => {
  const short = burn(NO_BURN, [refused(0, 10_000)]);
  const long = burn(short, [refused(0, 10_000), refused(-20, 30_000)], 90_000);
  assert.deepEqual(long, { windowStart: at(60_000), burnedMs: 25_000, lateCount: 1, last: { fault: at(0), lateMs: 25_000 } });
});

test("error budget: an older loss that is told of after a newer one is let go", () => {
  const newer = burn(NO_BURN, [episodeAt(20_000, { rtoMs: 6_000 })]);
  assert.deepEqual(burn(newer, [episodeAt(0, { rtoMs: 50_000 }), episodeAt(20_000, { rtoMs: 6_000 })]), newer);
});

test("error budget: after 30 days, and after a resume, it begins anew and counts nothing twice", () => {
  const told = [episodeAt(0, { rtoMs: 8_000 })];
  const before = burn(NO_BURN, told);
  const anew = { windowStart: null, burnedMs: 0, lateCount: 0, last: before.last };
  assert.deepEqual(burn(before, told, 60_000 + 30 * DAY_MS - 1), before);
  assert.deepEqual(burn(before, told, 60_000 + 30 * DAY_MS), anew);
  assert.deepEqual(burn(forgiven(before), told), anew);
  const more = burn(forgiven(before), [episodeAt(0, { rtoMs: 9_000 })], 70_000);
  assert.deepEqual([more.burnedMs, more.lateCount, more.windowStart], [1_000, 1, at(70_000)]);
});

const tiers: readonly { readonly tier: Tier; readonly wholeMs: number }[] = [
  { tier: "platinum", wholeMs: 259_200 },
  { tier: "gold", wholeMs: 2_592_000 },
  { tier: "silver", wholeMs: 25_920_000 },
];
for (const { tier, wholeMs } of tiers) {
  test(`the error budget of ${tier} is ${wholeMs} ms in 30 days`, () => {
    assert.equal(errorBudgetMs(tier), wholeMs);
    assert.deepEqual(
      [isBudgetSpent({ ...NO_BURN, burnedMs: wholeMs - 1 }, tier), isBudgetSpent({ ...NO_BURN, burnedMs: wholeMs }, tier)],
      [false, true],
    );
  });
}

test("an error budget is told in words", () => {
  assert.equal(tellBudget(NO_BURN, "platinum"), "none of 4m20s for 30 days at platinum is burned");
  assert.equal(
    tellBudget({ windowStart: at(0), burnedMs: 61_200, lateCount: 2, last: null }, "gold"),
    `1m2s of 43m12s for 30 days at gold burned since ${at(0)}, by 2 losses recovered later than rtoTarget`,
  );
});

const anyLoss = fc.record({ gapMs: fc.integer({ min: 2_500, max: 40_000 }), rtoMs: fc.integer({ min: 0, max: 20_000 }) });
const anyLook = fc.record({ from: fc.nat(11), count: fc.integer({ min: 1, max: 6 }), jitterMs: fc.integer({ min: -400, max: 400 }) });

test("error budget: however often and in whatever parts losses are told of, none is counted twice, and all of those told in order once", () => {
  fc.assert(
    fc.property(fc.array(anyLoss, { minLength: 1, maxLength: 12 }), fc.array(anyLook, { maxLength: 12 }), (given, looks) => {
      let faultMs = 0;
      const told = given.map(({ gapMs, rtoMs }) => episodeAt((faultMs += gapMs), { rtoMs }));
      const lateMs = told.reduce((sum, { rtoMs }) => sum + Math.max(0, (rtoMs ?? 0) - rtoTargetMs), 0);
      let some = NO_BURN;
      for (const { from, count, jitterMs } of looks) {
        const part = told.slice(from, from + count).map((one) => ({ ...one, faultAtMs: wallMs(one.faultAtMs + jitterMs) }));
        const next = burn(some, part);
        assert.ok(next.burnedMs >= some.burnedMs, "nothing that is told gives anything back");
        some = next;
      }
      assert.ok(some.burnedMs <= lateMs, `${some.burnedMs} of ${lateMs}`);
      let inOrder = NO_BURN;
      told.forEach((_, index) => (inOrder = burn(inOrder, told.slice(Math.max(0, index - 3), index + 1))));
      assert.deepEqual([inOrder.burnedMs, inOrder.lateCount], [lateMs, told.filter(({ rtoMs }) => (rtoMs ?? 0) > rtoTargetMs).length]);
    }),
    { seed: 4_011, numRuns: 300 },
  );
});
