import assert from "node:assert/strict";
import { test } from "node:test";
import { reserveRun } from "./reserve-run.ts";
import { SERVICES } from "./service-mix.ts";
import { fillWithServices, isFragile, turnServicesOver } from "./service-run.ts";

const placed = (...at: readonly (readonly ["hot" | "warm" | "cold", string])[]) => ({
  members: at.map(([level, node]) => ({ level, node })),
});

test("a service is fragile when one node holds two of its levels, not when it holds two of one", () => {
  assert.equal(isFragile(placed(["hot", "a"], ["warm", "a"])), true);
  assert.equal(isFragile(placed(["hot", "a"], ["hot", "a"], ["warm", "b"])), false);
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
  const run = fillWithServices(reserveRun({ policy: "best-fit", seed: 1 }));
  assert.equal(run.fragile, 0);
  assert.ok(run.firstRefusal > 80 && run.firstRefusal < run.tenthRefusal && run.tenthRefusal <= 100, JSON.stringify(run));
  assert.ok(run.servicesAtFirst < run.servicesAtTenth, JSON.stringify(run));
});

test("services that come and leave at half the load are never refused", () => {
  const { allocation, rejected } = turnServicesOver(reserveRun({ policy: "random", seed: 1 }), { load: 0.5, warmUp: 2, measured: 3 });
  assert.equal(rejected, 0);
  assert.ok(Math.abs(allocation - 50) < 4, `${allocation}`);
});
