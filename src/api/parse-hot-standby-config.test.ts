import assert from "node:assert/strict";
import { test } from "node:test";
import { GB } from "../base/bytes.ts";
import type { JsonObject } from "../base/json.ts";
import type { HotStandbyConfig } from "./hot-standby-config.ts";
import { parseHotStandbyConfig } from "./parse-hot-standby-config.ts";

function parsed(spec: JsonObject): HotStandbyConfig {
  const read = parseHotStandbyConfig({ name: "tenant-a", spec: { tenant: "tenant-a", ...spec } });
  assert.ok(read.ok, JSON.stringify(read));
  return read.value;
}

test("the published platinum manifest becomes a platinum service with its own bytes", () => {
  const config = parsed({
    priority: "high",
    hotStandby: { gpuCount: 2, memoryReserved: "80GB", nodeSelector: { "topology.kubernetes.io/zone": "az-1" } },
    warmStandby: { gpuCount: 1, memoryReserved: "40GB", gpuMemoryShare: true },
    coldStandby: { imageCache: true },
    failoverPolicy: { autoFailover: true, maxFailoverCount: 3, rtoTarget: "5s" },
  });
  assert.equal(config.tier, "platinum");
  assert.equal(config.isTierInferred, true);
  assert.equal(config.priority, 100);
  assert.deepEqual(config.hot, {
    gpuCount: 2,
    minGpuCount: 2,
    maxGpuCount: 2,
    memoryReservedBytes: 80 * GB,
    nodeSelector: { "topology.kubernetes.io/zone": "az-1" },
    isShared: false,
    capacityType: null,
  });
  assert.equal(config.warm?.isShared, true);
  assert.equal(config.warm.memoryReservedBytes, 40 * GB);
  assert.equal(config.warm.lend, "never");
  assert.deepEqual(config.cold, {
    gpuCount: 1,
    memoryReservedBytes: 0,
    nodeSelector: {},
    isShared: true,
    capacityType: null,
    isImageCached: true,
  });
  assert.equal(config.failoverPolicy.rtoTargetMs, 5_000);
  assert.equal(config.model.name, "tidegate-sim-8b");
});

test("absent levels take the row of the tier", () => {
  const platinum = parsed({ tier: "platinum" });
  assert.deepEqual([platinum.hot.gpuCount, platinum.hot.isShared, platinum.hot.memoryReservedBytes], [2, false, 40 * GB]);
  assert.deepEqual([platinum.warm?.gpuCount, platinum.warm?.isShared, platinum.warm?.lend], [1, false, "never"]);
  assert.equal(platinum.cold?.memoryReservedBytes, 40 * GB);
  assert.equal(platinum.failoverPolicy.rtoTargetMs, 5_000);
  const gold = parsed({ tier: "gold" });
  assert.deepEqual([gold.hot.gpuCount, gold.hot.isShared], [1, false]);
  assert.deepEqual([gold.warm?.isShared, gold.warm?.lend, gold.warm?.memoryReservedBytes], [true, "whenIdle", 20 * GB]);
  assert.equal(gold.cold?.memoryReservedBytes, 20 * GB);
  const silver = parsed({ tier: "silver" });
  assert.deepEqual([silver.hot.gpuCount, silver.hot.isShared, silver.warm, silver.cold?.memoryReservedBytes], [1, true, null, 0]);
});

const inferred = [
  { name: "a promise of 5s is platinum", spec: { failoverPolicy: { rtoTarget: "5s" } }, tier: "platinum" },
  { name: "a promise of 5001ms is gold", spec: { failoverPolicy: { rtoTarget: "5001ms" } }, tier: "gold" },
  { name: "a promise of 15s is gold", spec: { failoverPolicy: { rtoTarget: "15s" } }, tier: "gold" },
  { name: "a promise of 16s is silver", spec: { failoverPolicy: { rtoTarget: "16s" } }, tier: "silver" },
  { name: "no promise and no tier is silver", spec: {}, tier: "silver" },
  { name: "a written tier wins over the promise", spec: { tier: "gold", failoverPolicy: { rtoTarget: "1s" } }, tier: "gold" },
];
for (const { name, spec, tier } of inferred) test(name, () => assert.equal(parsed(spec).tier, tier));

test("a written level without numbers is one instance with weights and a quarter", () => {
  const config = parsed({
    tier: "platinum",
    model: { name: "m", weights: "30GB", tensorParallelSize: 2 },
    hotStandby: {},
    warmStandby: {},
  });
  assert.equal(config.hot.gpuCount, 2);
  assert.equal(config.hot.memoryReservedBytes, 37_500_000_000);
  assert.equal(config.warm?.gpuCount, 2);
});

test("gpuCount 0 takes a level away that the tier would give", () => {
  const config = parsed({ tier: "platinum", warmStandby: { gpuCount: 0 }, coldStandby: { gpuCount: 0 } });
  assert.deepEqual([config.warm, config.cold], [null, null]);
});

test("a cold reserve of an absent level is never smaller than the model needs", () => {
  assert.equal(parsed({ tier: "gold", model: { name: "m", weights: "64GB" } }).cold?.memoryReservedBytes, 80 * GB);
});
