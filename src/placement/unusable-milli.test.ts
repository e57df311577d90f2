import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlacementShape } from "./fleet-index.ts";
import { unusableMilli } from "./unusable-milli.ts";
import { mixOfModel, WorkloadMix } from "./workload-mix.ts";

const whole: PlacementShape = { cpuMilli: 10_000, memoryMib: 1, gpuCount: 1, gpuMilli: 1_000, models: [] };
const half: PlacementShape = { ...whole, cpuMilli: 4_000, gpuMilli: 500 };
const pair: PlacementShape = { ...whole, gpuCount: 2 };
const none: PlacementShape = { ...whole, gpuCount: 0, gpuMilli: 0 };

const cases = [
  { name: "a free node with CPU for all is usable", asked: [whole], cpuMilli: 40_000, gpus: [1_000, 1_000], weight: 0, is: 0 },
  { name: "what is left of a shared GPU is lost to whole ones", asked: [whole], cpuMilli: 40_000, gpus: [1_000, 400], weight: 0, is: 400 },
  { name: "each shape counts by its share", asked: [whole, half], cpuMilli: 40_000, gpus: [1_000, 600], weight: 0, is: 300 },
  {
    name: "a node without the CPU for a request is lost to it",
    asked: [whole],
    cpuMilli: 9_999,
    gpus: [1_000, 1_000],
    weight: 0,
    is: 2_000,
  },
  { name: "a node with too few whole GPUs is lost to a pair", asked: [pair], cpuMilli: 40_000, gpus: [1_000, 700], weight: 0, is: 1_700 },
  { name: "everything is lost to a request without GPUs", asked: [none], cpuMilli: 40_000, gpus: [1_000], weight: 0, is: 1_000 },
  { name: "as in the paper, CPU for one is CPU for all", asked: [whole], cpuMilli: 10_000, gpus: [1_000, 1_000], weight: 0, is: 0 },
  {
    name: "GPUs that the CPU cannot carry count by the weight",
    asked: [whole],
    cpuMilli: 15_000,
    gpus: [1_000, 1_000],
    weight: 0.4,
    is: 200,
  },
  {
    name: "a node that lacks one GPU for a trio is usable by the ratio",
    asked: [{ ...pair, gpuCount: 3 }],
    cpuMilli: 40_000,
    gpus: [1_000, 1_000, 700],
    weight: 0,
    soon: 0.4,
    is: 1_900,
  },
  {
    name: "one that lacks two is usable by its square",
    asked: [{ ...pair, gpuCount: 3 }],
    cpuMilli: 40_000,
    gpus: [1_000, 0, 0],
    weight: 0,
    soon: 0.4,
    is: 840,
  },
  {
    name: "one that is too small for them will never be usable",
    asked: [{ ...pair, gpuCount: 3 }],
    cpuMilli: 40_000,
    gpus: [1_000, 1_000],
    weight: 0,
    soon: 0.4,
    is: 2_000,
  },
  { name: "CPU in plenty adds nothing", asked: [half], cpuMilli: 90_000, gpus: [1_000, 200], weight: 1, is: 200 },
  { name: "a full node has nothing to lose", asked: [none], cpuMilli: 0, gpus: [0, 0], weight: 1, is: 0 },
];
for (const { name, asked, cpuMilli, gpus, weight, soon = 0, is } of cases)
  test(`unusable: ${name}`, () => {
    const mix = new WorkloadMix();
    for (const shape of asked) mix.add(shape);
    const gpuMilli = Int32Array.from(gpus);
    const milli = unusableMilli(
      mixOfModel(mix.shares(1), "H100"),
      { cpuMilli, gpuCount: gpus.length, gpuMilli },
      { cpuWeight: weight, soonRatio: soon },
    );
    assert.ok(Math.abs(milli - is) < 1e-6, `${milli}`);
  });
