import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlacedMember } from "../../src/placement/place-apart.ts";
import { fillWithServices, isFragile, turnServicesOver } from "./reserve-run.ts";
import { SERVICES } from "./service-mix.ts";

const placed = (level: "hot" | "warm" | "cold", node: number): PlacedMember => ({
  member: { level, shape: { cpuMilli: 1, memoryMib: 1, gpuCount: 1, gpuMilli: 1_000, models: [] } },
  place: { node, gpus: [0] },
});

test("a service is fragile when one node holds two of its levels, not when it holds two of one", () => {
  assert.equal(isFragile([placed("hot", 1), placed("warm", 1)]), true);
  assert.equal(isFragile([placed("hot", 1), placed("hot", 1), placed("warm", 2)]), false);
});

test("each service has the members and the reserve of its tier", () => {
  const cold = SERVICES.map((members) => members.filter(({ level }) => level === "cold").map(({ shape }) => shape.gpuMilli));
  assert.deepEqual([cold[0], cold[6], cold[29]], [[500], [250], []]);
  assert.deepEqual(
    [4, 3, 1].map((count) => SERVICES.filter((members) => members.length === count).length),
    [6, 9, 15],
  );
});

test("services fill the fleet up to a tenth refused, none of them fragile, and the first is refused before", () => {
  const run = fillWithServices({ policy: "best-fit", seed: 1 });
  assert.equal(run.fragile, 0);
  assert.ok(run.firstRefusal > 80 && run.firstRefusal < run.tenthRefusal && run.tenthRefusal <= 100, JSON.stringify(run));
  assert.ok(run.servicesAtFirst < run.servicesAtTenth, JSON.stringify(run));
});

test("services that come and leave at half the load are never refused", () => {
  const { allocation, rejected } = turnServicesOver({ policy: "random", seed: 1 }, 0.5);
  assert.equal(rejected, 0);
  assert.ok(Math.abs(allocation - 50) < 4, `${allocation}`);
});
