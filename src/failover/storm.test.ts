import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { monotonicMs, serviceName } from "../base/ids.ts";
import { decideService } from "./decide-service.ts";
import { cold1, hot1, hot2, steadyLadder, warm1, type FakeLadder } from "./fake-ladder.ts";
import { isBelow } from "./ladder-look.ts";
import { freezeBy, STORM_GAP_MS, stormOf } from "./storm.ts";

const lossesAt = (...timesMs: readonly number[]) => new Map(timesMs.map((ms, at) => [serviceName(`s${at}`), monotonicMs(ms)]));

const storms: readonly {
  readonly name: string;
  readonly timesMs: readonly number[];
  readonly of: number;
  readonly expected: { readonly lostCount: number; readonly lastAtMs: number } | null;
}[] = [
  { name: "no loss is no storm", timesMs: [], of: 3, expected: null },
  { name: "one loss is no storm, though it is all there is", timesMs: [5], of: 1, expected: null },
  { name: "two of three at once are a storm", timesMs: [5, 9], of: 3, expected: { lostCount: 2, lastAtMs: 9 } },
  { name: "two of nine are chance", timesMs: [5, 9], of: 9, expected: null },
  { name: "two of eight are a storm", timesMs: [5, 9], of: 8, expected: { lostCount: 2, lastAtMs: 9 } },
  { name: "two far apart are chance", timesMs: [0, STORM_GAP_MS + 1], of: 2, expected: null },
  {
    name: "each with the next near enough is one storm, however long it is",
    timesMs: [0, STORM_GAP_MS, 2 * STORM_GAP_MS],
    of: 4,
    expected: { lostCount: 3, lastAtMs: 2 * STORM_GAP_MS },
  },
  {
    name: "a storm that was before a single later loss is found",
    timesMs: [0, 5, 3 * STORM_GAP_MS],
    of: 4,
    expected: { lostCount: 2, lastAtMs: 5 },
  },
  {
    name: "of two storms the later one is told",
    timesMs: [0, 5, 3 * STORM_GAP_MS, 3 * STORM_GAP_MS + 1],
    of: 4,
    expected: { lostCount: 2, lastAtMs: 3 * STORM_GAP_MS + 1 },
  },
];
for (const { name, timesMs, of, expected } of storms) {
  test(`storm: ${name}`, () => {
    const found = stormOf(lossesAt(...timesMs), of);
    assert.deepEqual(found === null ? null : { lostCount: found.lostCount, lastAtMs: found.lastAtMs }, expected);
  });
}

test("storm: what is free to be moved waits for one soak after it, and a minute at most", () => {
  const storm = { lostCount: 2, serviceCount: 3, lastAtMs: monotonicMs(1_000) };
  const leftAt = (ms: number, soakMs: number) => freezeBy(storm, { soakMs, nowMs: monotonicMs(ms) })?.leftMs ?? null;
  assert.deepEqual([leftAt(1_000, 5_000), leftAt(5_999, 5_000), leftAt(6_000, 5_000)], [5_000, 1, null]);
  assert.deepEqual([leftAt(1_000, 600_000), leftAt(61_000, 600_000)], [60_000, null]);
  assert.equal(freezeBy(null, { soakMs: 5_000, nowMs: monotonicMs(0) }), null);
});

const stormNow = (ladder: FakeLadder) => ({ lostCount: 2, serviceCount: 3, lastAtMs: monotonicMs(ladder.nowMs) });

test("storm: a failback begins when it is over, and the condition tells why it waits", () => {
  const ladder = steadyLadder().kill(hot1, hot2);
  for (let second = 0; second < 8; second += 1) ladder.look(1_000);
  ladder.storm = stormNow(ladder);
  for (let second = 0; second < 9; second += 1) ladder.look(1_000);
  const frozen = ladder.status?.conditions.find(({ type }) => type === "Frozen");
  assert.deepEqual([ladder.status?.level, ladder.step, frozen?.status, frozen?.reason], ["warm", null, "True", "LostTogether"]);
  assert.match(frozen?.message ?? "", /^2 of 3 services lost their rung at about one time/);
  const { next } = decideService({ ...ladder.world(), storm: null });
  assert.deepEqual([next.failback.step?.percent, next.conditions.find(({ type }) => type === "Frozen")?.status], [1, "False"]);
  ladder.look(1_000);
  assert.equal(ladder.step, 1);
});

test("storm: whatever is lost, it changes nothing of what the loss asks for", () => {
  const name = fc.constantFrom(hot1, hot2, warm1, cold1);
  const happening = fc.record({ dead: fc.uniqueArray(name, { maxLength: 3 }), seconds: fc.integer({ min: 1, max: 8 }) });
  let downCount = 0;
  fc.assert(
    fc.property(fc.array(happening, { minLength: 1, maxLength: 8 }), (story) => {
      const ladder = steadyLadder();
      for (const { dead, seconds } of story) {
        ladder.kill(...dead);
        for (let second = 0; second < seconds; second += 1) {
          const world = ladder.world();
          const [calm, stormy] = [decideService({ ...world, storm: null }), decideService({ ...world, storm: stormNow(ladder) })];
          const before = world.status;
          const isFree = before !== null && (isBelow(before.level, calm.next.level) || calm.next.failback.step !== before.failback.step);
          if (!isFree) assert.deepEqual([stormy.next.level, stormy.actions], [calm.next.level, calm.actions]);
          if (before !== null && isBelow(calm.next.level, before.level)) downCount += 1;
          ladder.look(1_000);
        }
      }
    }),
  );
  assert.ok(downCount > 10, `${downCount} moves down were seen`);
});
