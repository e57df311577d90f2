import assert from "node:assert/strict";
import { test } from "node:test";
import { createFleetIndex, type FleetIndex } from "./fleet-index.ts";
import { fakeShape } from "./fake-shape.ts";
import { placeApart, type ServiceMember } from "./place-apart.ts";
import { createFleetPlacer } from "./place-on-fleet.ts";
import { BEST_FIT } from "./score-simple.ts";

const member = (level: ServiceMember["level"], gpuMilli = 1_000): ServiceMember => ({ level, shape: fakeShape({ gpuMilli }) });
const zoneOf = ["z1", "z1", "z2", "z3"];
const fleetOf = (gpuCount: number): FleetIndex =>
  createFleetIndex(
    zoneOf.map((_, index) => ({ name: `node-${index}`, model: "H100", gpuCount, cpuMilli: 96_000, memoryMib: 262_144 })),
    { boundMax: 100 },
  );
const nodesOf = (fleet: FleetIndex, ...members: readonly ServiceMember[]): readonly number[] | null =>
  placeApart(fleet, createFleetPlacer(fleet, BEST_FIT), { members, zoneOf })?.map(({ place }) => place.node) ?? null;

test("members of one level share a zone and no node, and each level has zones of its own", () => {
  assert.deepEqual(nodesOf(fleetOf(8), member("hot"), member("hot"), member("warm"), member("cold", 500)), [0, 1, 2, 3]);
});

test("a service with more levels than there are zones finds no place, and nothing of it is bound", () => {
  const fleet = fleetOf(8);
  // Two hot ones in z1, then one level each in z2 and z3; a second warm one fits nowhere.
  assert.equal(nodesOf(fleet, member("hot"), member("hot"), member("warm"), member("cold"), member("warm", 500)), null);
  assert.deepEqual([...fleet.freeMilliOf], [8_000, 8_000, 8_000, 8_000]);
});

test("services apart from themselves share nodes with others", () => {
  const fleet = fleetOf(1);
  assert.deepEqual(nodesOf(fleet, member("hot", 500)), [0]);
  assert.deepEqual(nodesOf(fleet, member("hot", 500), member("warm", 500)), [0, 2]);
  assert.equal(fleet.freeMilliOf[0], 0);
});
