import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EMPTY_LAYOUT,
  EMPTY_ROOM,
  enumerateLayouts,
  layoutOf,
  legalStarts,
  roomOf,
  withPlacement,
  type MigPlacement,
} from "../api/mig-layout.ts";
import { MIG_PROFILES, MIG_SHAPES } from "../api/mig-geometry.ts";
import type { MigLayout } from "../base/ids.ts";
import { MigFleetValue } from "./mig-fleet-value.ts";

const even = MIG_PROFILES.filter((profile) => profile !== "1g+me");

function layout(...placements: readonly MigPlacement[]): MigLayout {
  const made = layoutOf(placements);
  assert.ok(made.ok);
  return made.value;
}

test("before anybody asked, a room is worth what askers of an even mix get when seven of ten refusals go on", () => {
  let state = 12_345;
  const draw = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 16) % below;
  };
  const value = new MigFleetValue();
  const runs = 4_000;
  let given = 0;
  for (let run = 0; run < runs; run++) {
    let on = EMPTY_LAYOUT;
    for (;;) {
      const profile = even[draw(even.length)] ?? "7g";
      const offer = value.offer(roomOf(on), profile);
      if (offer === null && draw(10) < 3) break;
      if (offer === null) continue;
      on = withPlacement(on, { profile, start: offer.start }) ?? on;
      given += MIG_SHAPES[profile].computeSlices;
    }
  }
  assert.ok(Math.abs(given / runs - value.valueOf(EMPTY_ROOM)) < 0.1, `${given / runs} against ${value.valueOf(EMPTY_ROOM)}`);
});

test("a fleet is offered every profile where it fits, at a legal start, and only there", () => {
  const value = new MigFleetValue();
  for (const each of enumerateLayouts())
    for (const profile of MIG_PROFILES) {
      const legal = legalStarts(profile, each);
      const offer = value.offer(roomOf(each), profile);
      assert.equal(offer === null, legal.length === 0);
      assert.ok(offer === null || (legal.includes(offer.start) && offer.cost >= 0));
    }
});

test("where everybody asks for the whole GPU, a used one costs nothing and a free one all of it", () => {
  const value = new MigFleetValue();
  for (let count = 0; count < 10_000; count++) value.observe("7g");
  const used = roomOf(layout({ profile: "1g", start: 6 }));
  const [onUsed, onFree] = [used, EMPTY_ROOM].map((room) => value.offer(room, "1g")?.cost ?? Number.NaN);
  assert.ok(onUsed !== undefined && onUsed < 30_000, `${onUsed}`);
  assert.ok(onFree !== undefined && onFree > 6_000_000, `${onFree}`);
});

test("what is asked for counts from the next reading of the mix on", () => {
  const value = new MigFleetValue();
  const before = value.valueOf(EMPTY_ROOM);
  for (let count = 0; count < 19; count++) value.observe("7g");
  assert.equal(value.valueOf(EMPTY_ROOM), before);
  value.observe("7g");
  assert.notEqual(value.valueOf(EMPTY_ROOM), before);
});

test("once instances leave, fewer refusals go on, and a free GPU is worth less", () => {
  const [filling, leaving] = [0, 2].map((gone) => {
    const value = new MigFleetValue();
    for (let count = 0; count < gone; count++) value.release();
    for (let count = 0; count < 20; count++) value.observe(even[count % even.length] ?? "7g");
    return value.valueOf(EMPTY_ROOM);
  });
  assert.ok(filling !== undefined && leaving !== undefined && leaving < filling, `${leaving} against ${filling}`);
});
