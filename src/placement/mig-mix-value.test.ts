import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_LAYOUT, EMPTY_ROOM, roomOf, withPlacement, type MigPlacement } from "../api/mig-layout.ts";
import { MigMixValue } from "./mig-mix-value.ts";

const roomWith = (...placements: readonly MigPlacement[]) =>
  roomOf(placements.reduce((layout, placement) => withPlacement(layout, placement) ?? assert.fail("legal"), EMPTY_LAYOUT));

test("a room is worth the slices of what fits it still, in the unit asked for", () => {
  const memory = new MigMixValue([["3g", 1]], { goesOn: 0, unit: "memorySlices" });
  const compute = new MigMixValue([["3g", 1]], { goesOn: 0, unit: "computeSlices" });
  assert.deepEqual([memory.valueOf(EMPTY_ROOM), compute.valueOf(EMPTY_ROOM)], [8, 6]);
  assert.deepEqual([memory.valueOf(roomWith({ profile: "3g", start: 4 })), memory.valueOf(roomWith({ profile: "7g", start: 0 }))], [4, 0]);
});

test("a small one where the half of a large one was costs its half, where only large ones are wanted", () => {
  const value = new MigMixValue([["3g", 1]], { goesOn: 0, unit: "memorySlices" });
  assert.equal(value.valueOf(roomWith({ profile: "1g", start: 6 })), 4);
  assert.equal(value.valueOf(roomWith({ profile: "1g", start: 6 }, { profile: "1g", start: 0 })), 0);
});

test("the more refusals go on elsewhere, the more is room for the others worth", () => {
  const of = (goesOn: number) =>
    new MigMixValue(
      [
        ["1g", 0.5],
        ["7g", 0.5],
      ],
      { goesOn, unit: "memorySlices" },
    ).valueOf(roomWith({ profile: "3g", start: 4 }));
  assert.ok(of(0.3) > of(0) && of(0.7) > of(0.3));
});
