import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MIG_GPUS, MIG_PROFILES, MIG_SHAPES, explainUnknownMigFigure, migGpuOf, migGrantOf, migResourceName } from "./mig-geometry.ts";
import {
  computeSlicesLeft,
  countsOf,
  EMPTY_LAYOUT,
  EMPTY_ROOM,
  enumerateLayouts,
  explainIllegalLayout,
  formatLayout,
  isLegal,
  isMaximal,
  layoutFromBits,
  layoutOf,
  legalStarts,
  MIG_PLACEMENTS,
  placementsOf,
  roomAfter,
  roomBefore,
  roomOf,
  withPlacement,
  type MigPlacement,
} from "./mig-layout.ts";

const plain = MIG_PROFILES.filter((profile) => profile !== "1g+me");
const seed = 6_021;

/** The rules once more, from slices and sums, without bits. */
function isLegalBySlices(placements: readonly MigPlacement[]): boolean {
  const slices = placements.flatMap(({ profile, start }) =>
    Array.from({ length: MIG_SHAPES[profile].memorySlices }, (_, at) => start + at),
  );
  const compute = placements.reduce((total, { profile }) => total + MIG_SHAPES[profile].computeSlices, 0);
  return (
    placements.every(({ profile, start }) => MIG_SHAPES[profile].starts.includes(start)) &&
    new Set(slices).size === slices.length &&
    slices.every((slice) => slice < 8) &&
    compute <= 7 &&
    MIG_PROFILES.every((profile) => placements.filter((each) => each.profile === profile).length <= MIG_SHAPES[profile].maxCount)
  );
}

const anyPlacement = fc.record({ profile: fc.constantFrom(...MIG_PROFILES), start: fc.integer({ min: 0, max: 7 }) });

test("the common geometry has 723 legal layouts, 78 maximal ones and 38 of those by their profiles", () => {
  const layouts = enumerateLayouts(plain);
  assert.equal(layouts.length, 723);
  assert.equal(new Set(layouts).size, 723);
  const maximal = layouts.filter((layout) => isMaximal(layout, plain));
  assert.equal(maximal.length, 78);
  assert.equal(new Set(maximal.map((layout) => JSON.stringify(countsOf(layout)))).size, 38);
});

test("with media engines there is one more layout for each 1g of a layout", () => {
  const oneGs = enumerateLayouts(plain).reduce((total, layout) => total + (countsOf(layout)["1g"] ?? 0), 0);
  assert.equal(enumerateLayouts().length, 723 + oneGs);
});

test("a set of placements is legal by bits exactly when it is by slices and sums", () => {
  const properties = fc.property(
    fc.uniqueArray(anyPlacement, { maxLength: 8, selector: (each) => `${each.profile}${each.start}` }),
    (set) => {
      assert.equal(isLegal(set), isLegalBySlices(set));
    },
  );
  fc.assert(properties, { seed, numRuns: 5_000 });
});

test("one layout has one value, whatever the order, and tells its placements and stored bits back", () => {
  for (const layout of enumerateLayouts()) {
    const placements = placementsOf(layout);
    assert.deepEqual(layoutOf(placements.toReversed()), { ok: true, value: layout });
    assert.equal(layoutFromBits(layout), layout);
  }
  for (const bits of [-1, 0.5, 2 ** 25, 2 ** 40, Number.NaN, 0b11000000000000000000000000]) assert.equal(layoutFromBits(bits), null);
  assert.equal(layoutFromBits(0b11), 0b11, "two 1g side by side");
  assert.equal(layoutFromBits(0b10000001), null, "a 1g and a 1g+me on one slice");
});

test("legal starts are those at which one more placement is legal", () => {
  for (const layout of enumerateLayouts()) {
    for (const profile of MIG_PROFILES) {
      const expected = MIG_SHAPES[profile].starts.filter((start) => isLegalBySlices([...placementsOf(layout), { profile, start }]));
      assert.deepEqual(legalStarts(profile, layout), expected, `${profile} on ${formatLayout(layout)}`);
    }
  }
});

test("a room is what its layout leaves, and gives a placement back", () => {
  for (const layout of enumerateLayouts()) {
    for (const [index, placement] of MIG_PLACEMENTS.entries()) {
      const next = withPlacement(layout, placement);
      assert.equal(roomAfter(roomOf(layout), index), next === null ? null : roomOf(next));
      if (next !== null) assert.equal(roomBefore(roomOf(next), index), roomOf(layout));
    }
  }
  assert.throws(() => roomBefore(EMPTY_ROOM, 0), /only what stands/);
});

const illegal = [
  { placements: ["2g@1"], why: "It can start at 0, 2, 4 only." },
  { placements: ["7g@0", "1g@6"], why: "It takes memory slices 6 to 6, and some of them are taken." },
  { placements: ["4g@0", "1g-double@4", "1g-double@6", "1g@7"], why: "It can start at 0, 1, 2, 3, 4, 5, 6 only." },
  { placements: ["1g@0", "2g@2", "4g@0"], why: "It takes memory slices 0 to 3, and some of them are taken." },
  { placements: ["1g+me@0", "1g+me@1"], why: "A GPU has one set of media engines, and they are given." },
  { placements: ["4g@0", "1g@4", "2g@4"], why: "It takes memory slices 4 to 5, and some of them are taken." },
  { placements: ["2g@0", "2g@2", "2g@4", "1g@6", "1g@7"], why: "It can start at 0, 1, 2, 3, 4, 5, 6 only." },
] as const;
for (const { placements, why } of illegal) {
  test(`${placements.join(" ")} is refused with its reason`, () => {
    const parsed = placements.map((text) => {
      const [name, start] = text.split("@");
      return { profile: MIG_PROFILES.find((profile) => profile === name) ?? "7g", start: Number(start) };
    });
    const made = layoutOf(parsed);
    assert.equal(made.ok ? null : explainIllegalLayout(made.error).why, why);
  });
}

test("memory slices and starts alone keep every layout at 7 compute slices", () => {
  const all = enumerateLayouts().map((layout) => computeSlicesLeft(roomOf(layout)));
  assert.deepEqual(
    [...new Set(all)].toSorted((one, other) => one - other),
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
  const made = layoutOf([
    { profile: "4g", start: 0 },
    { profile: "3g", start: 4 },
  ]);
  assert.ok(made.ok);
  assert.equal(formatLayout(made.value), "3g@4 4g@0");
  assert.equal(formatLayout(EMPTY_LAYOUT), "nothing");
});

test("two 3g take all memory and leave one compute slice that nobody can have", () => {
  const made = layoutOf([
    { profile: "3g", start: 0 },
    { profile: "3g", start: 4 },
  ]);
  assert.ok(made.ok);
  assert.equal(computeSlicesLeft(roomOf(made.value)), 1);
  assert.ok(isMaximal(made.value));
});

test("a profile of a card tells its name, bytes and multiprocessors", () => {
  const h100 = migGpuOf("H100-80GB");
  assert.ok(h100 !== null);
  assert.deepEqual(migGrantOf(h100, "3g"), { ok: true, value: { name: "3g.40gb", memoryBytes: 42_412_802_048, multiprocessors: 60 } });
  assert.equal(migResourceName(h100, "1g+me"), "nvidia.com/mig-1g.10gb.me");
  assert.equal(migGpuOf("L4-24GB"), null);
});

test("a figure that was never read refuses by the profile's name", () => {
  const b200 = migGpuOf("B200-192GB");
  assert.ok(b200 !== null);
  const made = migGrantOf(b200, "3g");
  assert.ok(!made.ok);
  assert.equal(explainUnknownMigFigure(made.error).what, "MIG profile 3g.90gb of B200-180GB is not planned.");
  assert.ok(migGrantOf(b200, "2g").ok);
});

test("on every card a larger profile has no less memory and its instances never more than the 7g", () => {
  for (const gpu of MIG_GPUS) {
    const memory = (profile: (typeof MIG_PROFILES)[number]): number => gpu.figures[profile].memoryMiB ?? 0;
    if (gpu.figures["7g"].memoryMiB === null) continue;
    for (const layout of enumerateLayouts(plain)) {
      const total = placementsOf(layout).reduce((sum, { profile }) => sum + memory(profile), 0);
      assert.ok(total <= memory("7g") * 1.001, `${gpu.models[0]}: ${formatLayout(layout)} has ${total} MiB of ${memory("7g")}`);
    }
  }
});
