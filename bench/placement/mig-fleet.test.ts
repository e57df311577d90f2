import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_ROOM, layoutOf, roomOf } from "../../src/api/mig-layout.ts";
import type { MigPlacement } from "../../src/api/mig-layout.ts";
import type { MigRoom } from "../../src/base/ids.ts";
import { seeded } from "../failover/seeded.ts";
import { createMigPolicy, MIG_POLICY_NAMES, MigFleet, unusableSlices } from "./mig-fleet.ts";

function roomWith(...placements: readonly MigPlacement[]): MigRoom {
  const layout = layoutOf(placements);
  assert.ok(layout.ok);
  return roomOf(layout.value);
}

const rooms = [
  { name: "none of a free GPU for a 4g, but half of it", room: EMPTY_ROOM, mix: { "4g": 1 }, slices: 4 },
  { name: "all that is free where a 4g cannot start", room: roomWith({ profile: "1g", start: 0 }), mix: { "4g": 1 }, slices: 7 },
  { name: "the last slice for a 1g, which starts at seven of eight", room: EMPTY_ROOM, mix: { "1g": 1 }, slices: 1 },
  { name: "the mean over the mix", room: EMPTY_ROOM, mix: { "1g": 1, "7g": 3 }, slices: 0.25 },
];
for (const { name, room, mix, slices } of rooms) test(`MIG fragmentation: ${name}`, () => assert.equal(unusableSlices(room, mix), slices));

for (const name of MIG_POLICY_NAMES)
  test(`a MIG fleet under ${name} gives each slice once, and all of them again`, () => {
    const fleet = new MigFleet(3, createMigPolicy(name, { "1g": 1, "7g": 1 }, seeded(1)));
    const held = Array.from({ length: 3 }, () => fleet.place("7g"));
    assert.ok(held.every((leave) => leave !== null));
    assert.equal(fleet.place("1g"), null);
    for (const leave of held) leave?.();
    assert.equal(Array.from({ length: 30 }, () => fleet.place("1g")).filter((leave) => leave !== null).length, 21);
  });

test("a MIG fleet under our policy fills a used GPU before a free one", () => {
  const fleet = new MigFleet(2, createMigPolicy("value", { "1g": 1, "7g": 1 }, seeded(1)));
  for (let count = 0; count < 7; count++) assert.notEqual(fleet.place("1g"), null);
  assert.notEqual(fleet.place("7g"), null);
});
