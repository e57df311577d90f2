import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_LAYOUT, EMPTY_ROOM, enumerateLayouts, layoutOf, legalStarts, roomOf, withPlacement } from "../api/mig-layout.ts";
import { MIG_PROFILES, MIG_SHAPES } from "../api/mig-geometry.ts";
import { fleetValueLost, fleetValueOfRoom } from "./mig-value.ts";

const asked = MIG_PROFILES.filter((profile) => profile !== "1g+me");

test("a room's value to the fleet is what random askers get when nine of ten refusals go on", () => {
  let state = 12_345;
  const draw = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 16) % below;
  };
  const runs = 4_000;
  let given = 0;
  for (let run = 0; run < runs; run++) {
    let on = EMPTY_LAYOUT;
    for (;;) {
      const profile = asked[draw(asked.length)] ?? "7g";
      const [best] = legalStarts(profile, on)
        .flatMap((start) => withPlacement(on, { profile, start }) ?? [])
        .toSorted((one, other) => fleetValueOfRoom(roomOf(other)) - fleetValueOfRoom(roomOf(one)));
      if (best === undefined && draw(10) === 0) break;
      if (best === undefined) continue;
      on = best;
      given += MIG_SHAPES[profile].computeSlices;
    }
  }
  const value = fleetValueOfRoom(EMPTY_ROOM) / 1e6;
  assert.ok(Math.abs(given / runs - value) < 0.1, `${given / runs} against ${value}`);
});

test("what an instance costs the fleet is known where it fits, and only there", () => {
  for (const each of enumerateLayouts())
    for (const profile of MIG_PROFILES) {
      const lost = fleetValueLost(roomOf(each), profile);
      assert.equal(lost === null, legalStarts(profile, each).length === 0);
    }
});

test("a 1g costs the fleet less beside others than on a free GPU", () => {
  const used = layoutOf([{ profile: "4g", start: 0 }]);
  assert.ok(used.ok);
  const [beside, alone] = [roomOf(used.value), EMPTY_ROOM].map((room) => fleetValueLost(room, "1g"));
  assert.ok(typeof beside === "number" && typeof alone === "number" && beside < alone, `${beside} against ${alone}`);
});
