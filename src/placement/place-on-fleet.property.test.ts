import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFleetIndex, fitsNode, releaseShape, type FleetIndex, type FleetPlace, type PlacementShape } from "./fleet-index.ts";
import { createFleetPlacer } from "./place-on-fleet.ts";
import { createFgd } from "./score-fgd.ts";
import { createLeastStranded } from "./score-least-stranded.ts";
import { BEST_FIT, BINPACK, SPREAD } from "./score-simple.ts";
import type { ScoringPolicy } from "./scoring-policy.ts";
import { WorkloadMix } from "./workload-mix.ts";

const nodes = fc.array(
  fc.record({
    model: fc.constantFrom("A100", "H100"),
    gpuCount: fc.constantFrom(0, 1, 2, 8),
    cpuMilli: fc.constantFrom(16_000, 96_000),
    memoryMib: fc.constantFrom(32_768, 262_144),
  }),
  { minLength: 1, maxLength: 6 },
);
const shapes = fc.record({
  cpuMilli: fc.constantFrom(1_000, 6_000, 12_000),
  memoryMib: fc.constantFrom(1_024, 16_384),
  gpuCount: fc.constantFrom(0, 1, 1, 1, 2, 8),
  gpuMilli: fc.constantFrom(160, 470, 810, 1_000),
  models: fc.constantFrom<readonly string[]>([], [], ["H100"]),
});
/** A request, or the end of one that stands: which one, of those that do. */
const step = fc.oneof({ weight: 4, arbitrary: shapes }, { weight: 1, arbitrary: fc.nat(100) });

const policies: readonly ((fleet: FleetIndex, asked: readonly PlacementShape[]) => ScoringPolicy)[] = [
  () => BEST_FIT,
  () => BINPACK,
  () => SPREAD,
  (fleet, asked) => createFgd(fleet, mixOf(asked)),
  (fleet) => createLeastStranded(fleet),
];

function mixOf(asked: readonly PlacementShape[]) {
  const mix = new WorkloadMix();
  for (const shape of asked) mix.add(shape);
  return mix.shares(0.95);
}

const wholeIfMany = (shape: PlacementShape): PlacementShape =>
  shape.gpuCount === 1 ? shape : { ...shape, gpuMilli: shape.gpuCount === 0 ? 0 : 1_000 };

/** Every node scored afresh: the best score, the first name of equals. */
function naiveNode(fleet: FleetIndex, policy: ScoringPolicy, shape: PlacementShape): number | null {
  const scored = [...fleet.names.keys()]
    .filter((node) => fitsNode(fleet, node, shape))
    .map((node) => {
      const verdict = { score: 0, gpu: -1 };
      policy.scoreNode(fleet, node, shape, verdict);
      return { node, score: verdict.score };
    });
  return scored.toSorted((left, right) => right.score - left.score || left.node - right.node)[0]?.node ?? null;
}

test("what is remembered never changes a decision, and no GPU, CPU or memory is given twice", () => {
  const run = fc.tuple(nodes, fc.array(step, { minLength: 30, maxLength: 80 }), fc.constantFrom(...policies));
  fc.assert(
    fc.property(run, ([made, steps, createPolicy]) => {
      const fleet = createFleetIndex(
        made.map((node, index) => ({ name: `node-${index}`, ...node })),
        { boundMax: 12 },
      );
      const asked = steps.flatMap((each) => (typeof each === "number" ? [] : [wholeIfMany(each)]));
      const policy = createPolicy(fleet, asked);
      const placer = createFleetPlacer(fleet, policy);
      const standing: { readonly shape: PlacementShape; readonly place: FleetPlace }[] = [];
      for (const each of steps) {
        if (typeof each === "number") {
          const [ended] = standing.splice(each % Math.max(1, standing.length), 1);
          if (ended !== undefined) releaseShape(fleet, ended.shape, ended.place);
          continue;
        }
        const shape = wholeIfMany(each);
        const chosen = placer.choose(shape);
        assert.equal(chosen?.node ?? null, naiveNode(fleet, policy, shape));
        const place = placer.place(shape);
        if (place !== null) standing.push({ shape, place });
      }
      for (const { shape, place } of standing) releaseShape(fleet, shape, place);
      const fresh = createFleetIndex(
        made.map((node, index) => ({ name: `node-${index}`, ...node })),
        { boundMax: 12 },
      );
      assert.deepEqual(fleet.freeGpuMilli, fresh.freeGpuMilli);
      assert.deepEqual(fleet.freeCpuMilli, fresh.freeCpuMilli);
    }),
    { seed: 4_217, numRuns: 150 },
  );
});

test("a state that was scored once for a shape is not scored again", () => {
  const node = { model: "H100", gpuCount: 8, cpuMilli: 96_000, memoryMib: 262_144 };
  const fleet = createFleetIndex(
    Array.from({ length: 50 }, (_, index) => ({ name: `node-${index}`, ...node })),
    { boundMax: 100 },
  );
  const placer = createFleetPlacer(fleet, BEST_FIT);
  const shape: PlacementShape = { cpuMilli: 6_000, memoryMib: 8_192, gpuCount: 1, gpuMilli: 1_000, models: [] };
  for (let count = 0; count < 400; count++) assert.notEqual(placer.place(shape), null);
  assert.equal(placer.place(shape), null);
  assert.equal(placer.scoredCount(), 8);
});
