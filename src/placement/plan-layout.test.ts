import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { migLayout, type MigLayout } from "../base/ids.ts";
import { MIG_PROFILES, MIG_SHAPES, type MigProfile } from "../api/mig-geometry.ts";
import {
  countsOf,
  EMPTY_LAYOUT,
  EMPTY_ROOM,
  enumerateLayouts,
  formatLayout,
  isWithin,
  layoutOf,
  legalStarts,
  MIG_PLACEMENTS,
  roomOf,
  without,
  withPlacement,
  type MigCounts,
  type MigPlacement,
} from "../api/mig-layout.ts";
import { bestStart, valueLost, valueOfRoom } from "./mig-value.ts";
import { explainNoLayout, planLayout, sumOfCounts } from "./plan-layout.ts";

const seed = 6_022;
const plain = MIG_PROFILES.filter((profile) => profile !== "1g+me");
const layouts = enumerateLayouts();
const anyLayout = fc.constantFrom(...layouts);
const anyCounts: fc.Arbitrary<MigCounts> = fc
  .array(fc.constantFrom(...MIG_PROFILES), { maxLength: 8 })
  .map((profiles) => profiles.reduce<MigCounts>((counts, profile) => sumOfCounts(counts, { [profile]: 1 }), {}));

const layout = (...placements: readonly (readonly [MigProfile, number])[]): MigLayout => {
  const made = layoutOf(placements.map(([profile, start]): MigPlacement => ({ profile, start })));
  assert.ok(made.ok);
  return made.value;
};

/** Tries each profile at each of its starts, one after the other. */
function isPlaceable(counts: MigCounts, on: MigLayout): boolean {
  const profile = MIG_PROFILES.find((each) => (counts[each] ?? 0) > 0);
  if (profile === undefined) return true;
  const rest = sumOfCounts(counts, { [profile]: -1 });
  return MIG_SHAPES[profile].starts.some((start) => {
    const next = withPlacement(on, { profile, start });
    return next !== null && isPlaceable(rest, next);
  });
}

test("a plan is found exactly when trying every start finds one, and it keeps what is kept", () => {
  const property = fc.property(anyCounts, anyLayout, (counts, kept) => {
    const planned = planLayout(counts, kept);
    assert.equal(planned.ok, isPlaceable(counts, kept));
    if (!planned.ok) return;
    assert.ok(isWithin(kept, planned.value));
    assert.deepEqual(sumOfCounts(countsOf(planned.value), {}), sumOfCounts(counts, countsOf(kept)));
  });
  fc.assert(property, { seed, numRuns: 3_000 });
});

test("no other layout of the same profiles around what is kept has more value left", () => {
  const property = fc.property(anyLayout, fc.nat(2 ** 25 - 1), (other, part) => {
    const kept = migLayout(other & part);
    const counts = countsOf(without(other, kept));
    const planned = planLayout(counts, kept);
    assert.ok(planned.ok);
    assert.ok(valueOfRoom(roomOf(planned.value)) >= valueOfRoom(roomOf(other)));
  });
  fc.assert(property, { seed, numRuns: 2_000 });
});

test("on an empty GPU the sums of slices and the maxima decide alone", () => {
  const most = { "1g": 7, "1g+me": 1, "1g-double": 4, "2g": 3, "3g": 2, "4g": 1, "7g": 1 };
  const walk = (at: number, counts: MigCounts): void => {
    const profile = MIG_PROFILES[at];
    if (profile === undefined) {
      const sum = (of: "memorySlices" | "computeSlices"): number =>
        MIG_PROFILES.reduce((total, each) => total + (counts[each] ?? 0) * MIG_SHAPES[each][of], 0);
      assert.equal(planLayout(counts).ok, sum("memorySlices") <= 8 && sum("computeSlices") <= 7, JSON.stringify(counts));
      return;
    }
    for (let count = 0; count <= most[profile]; count += 1) walk(at + 1, { ...counts, [profile]: count });
  };
  walk(0, {});
});

const refusals = [
  { counts: { "3g": 2, "1g": 1 }, why: "Together they need 9 of 8 memory slices and 7 of 7 compute slices." },
  { counts: { "4g": 2 }, why: "Together they need 8 of 8 memory slices and 8 of 7 compute slices." },
  { counts: { "1g+me": 2 }, why: "A GPU takes 1 of 1g+me, and this makes 2." },
  { counts: { "1g": 20 }, why: "Together they need 20 of 8 memory slices and 20 of 7 compute slices." },
] as const;
for (const { counts, why } of refusals) {
  test(`no layout of ${JSON.stringify(counts)}: the refusal has the arithmetic`, () => {
    const planned = planLayout(counts);
    assert.equal(planned.ok ? null : explainNoLayout(planned.error).why, why);
  });
}

test("what stands in the way of a layout around kept instances is named", () => {
  const planned = planLayout({ "4g": 1 }, layout(["1g", 0]));
  assert.ok(!planned.ok);
  assert.deepEqual(explainNoLayout(planned.error), {
    what: "No layout has 1 x 4g beside 1g@0.",
    why: "Together they need 5 of 8 memory slices and 5 of 7 compute slices, but none of the 3 legal layouts of these profiles has 1g@0 where it is.",
    next: "Re-partition the GPU, or use another one.",
  });
});

const firsts: readonly (readonly [MigProfile, MigLayout, number | null])[] = [
  ["1g", EMPTY_LAYOUT, 6],
  ["1g+me", EMPTY_LAYOUT, 6],
  ["1g-double", EMPTY_LAYOUT, 6],
  ["3g", EMPTY_LAYOUT, 4],
  ["4g", EMPTY_LAYOUT, 0],
  // At the end of the low half's neighbour: 4g@0 stays possible, which 2g@0 would take away.
  ["2g", EMPTY_LAYOUT, 4],
  ["2g", layout(["3g", 4]), 2],
  ["1g", layout(["3g", 4]), 3],
  ["1g", layout(["1g", 6]), 5],
  ["4g", layout(["1g", 0]), null],
];
for (const [profile, on, start] of firsts) {
  test(`${profile} on ${formatLayout(on)} goes to ${start ?? "no place"}`, () => assert.equal(bestStart(roomOf(on), profile), start));
}

test("the best start is legal, and no legal start leaves more value", () => {
  for (const each of layouts) {
    for (const profile of MIG_PROFILES) {
      const legal = legalStarts(profile, each);
      const start = bestStart(roomOf(each), profile);
      assert.equal(start === null, legal.length === 0);
      if (start === null) continue;
      assert.ok(legal.includes(start));
      const left = (at: number): number => valueOfRoom(roomOf(withPlacement(each, { profile, start: at }) ?? EMPTY_LAYOUT));
      assert.ok(legal.every((other) => left(other) <= left(start)));
      assert.equal(valueLost(roomOf(each), profile), valueOfRoom(roomOf(each)) - left(start));
    }
  }
});

test("an instance more never leaves more value, and nothing is worth nothing", () => {
  for (const each of layouts) {
    const value = valueOfRoom(roomOf(each));
    for (const placement of MIG_PLACEMENTS) {
      const next = withPlacement(each, placement);
      if (next !== null) assert.ok(valueOfRoom(roomOf(next)) <= value);
    }
    const isFull = plain.every((profile) => legalStarts(profile, each).length === 0);
    assert.equal(value === 0, isFull, formatLayout(each));
  }
});

test("the value is what random askers get until the first refusal", () => {
  let state = 12_345;
  const draw = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 16) % below;
  };
  const runs = 20_000;
  let given = 0;
  for (let run = 0; run < runs; run += 1) {
    let on = EMPTY_LAYOUT;
    for (;;) {
      const profile = plain[draw(plain.length)] ?? "7g";
      const start = bestStart(roomOf(on), profile);
      if (start === null) break;
      on = withPlacement(on, { profile, start }) ?? on;
      given += MIG_SHAPES[profile].computeSlices;
    }
  }
  assert.ok(Math.abs(given / runs - valueOfRoom(EMPTY_ROOM) / 1e6) < 0.05, `${given / runs} against ${valueOfRoom(EMPTY_ROOM) / 1e6}`);
});
