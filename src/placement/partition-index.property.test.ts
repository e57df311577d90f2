import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GiB } from "../base/bytes.ts";
import { PartitionIndex, type PartitionAsk, type PartitionGpu } from "./partition-index.ts";

interface Standing {
  readonly ask: PartitionAsk;
  readonly gpu: number;
}

/** Whether this GPU would do, from the list of all that stand. */
function isAllowed(gpus: readonly PartitionGpu[], standing: readonly Standing[], ask: PartitionAsk, gpu: number): boolean {
  const on = standing.filter((each) => each.gpu === gpu);
  const there = gpus[gpu];
  if (there === undefined || (ask.zone !== null && there.zone !== ask.zone)) return false;
  if (on.some((each) => each.ask.isExclusive) || (ask.isExclusive && on.length > 0)) return false;
  if (on.reduce((sum, each) => sum + each.ask.memoryBytes, ask.memoryBytes) > there.memoryBytes) return false;
  const own = standing.filter((each) => each.ask.service === ask.service);
  if (own.some((each) => each.gpu === gpu)) return false;
  if (ask.apart === "node" && own.some((each) => gpus[each.gpu]?.node === there.node)) return false;
  return ask.apart !== "zone" || !own.some((each) => gpus[each.gpu]?.zone === there.zone);
}

const fleets = fc.array(fc.record({ node: fc.nat(3), memoryGib: fc.constantFrom(24, 40, 80) }), { minLength: 1, maxLength: 10 });
const asks = fc.record({
  service: fc.constantFrom("a", "b", "c"),
  memoryBytes: fc.integer({ min: 1, max: 45 }).map((halves) => halves * GiB - (halves % 3)),
  isExclusive: fc.boolean(),
  zone: fc.constantFrom(null, null, "zone-0", "zone-1", "zone-9"),
  apart: fc.constantFrom<PartitionAsk["apart"]>("gpu", "node", "zone"),
});
const step = fc.oneof({ weight: 3, arbitrary: asks }, { weight: 1, arbitrary: fc.nat(50) });

test("a partition gets a GPU that keeps every promise, and none only when none would", () => {
  fc.assert(
    fc.property(fleets, fc.array(step, { minLength: 20, maxLength: 60 }), (made, steps) => {
      const gpus = made.map(({ node, memoryGib }): PartitionGpu => {
        return { node: `node-${node}`, zone: `zone-${node % 2}`, memoryBytes: memoryGib * GiB };
      });
      const index = new PartitionIndex(gpus);
      const standing: Standing[] = [];
      for (const each of steps) {
        if (typeof each === "number") {
          const [ended] = standing.splice(each % Math.max(1, standing.length), 1);
          if (ended !== undefined) index.release(ended.ask, ended.gpu);
          continue;
        }
        const allowed = [...gpus.keys()].filter((gpu) => isAllowed(gpus, standing, each, gpu));
        const gpu = index.place(each);
        assert.equal(gpu === null, allowed.length === 0);
        if (gpu === null) continue;
        assert.ok(allowed.includes(gpu), `GPU ${gpu} breaks a promise`);
        standing.push({ ask: each, gpu });
      }
    }),
    { seed: 77_301, numRuns: 300 },
  );
});

test("a shared partition takes the fullest GPU that does, one alone the smallest free one", () => {
  const gpus = [80, 40, 80].map((memoryGib, index): PartitionGpu => ({
    node: `node-${index}`,
    zone: "zone-0",
    memoryBytes: memoryGib * GiB,
  }));
  const index = new PartitionIndex(gpus);
  const ask = (service: string, gib: number, isExclusive = false): PartitionAsk => {
    return { service, memoryBytes: gib * GiB, isExclusive, zone: null, apart: "gpu" };
  };
  assert.equal(index.place(ask("a", 50)), 0);
  assert.equal(index.place(ask("b", 10)), 0);
  assert.equal(index.place(ask("b", 10)), 1);
  assert.equal(index.place(ask("c", 10, true)), 2);
  assert.equal(index.place(ask("d", 10, true)), null);
});

test("a partition that is not held cannot be released", () => {
  const index = new PartitionIndex([{ node: "node-0", zone: "zone-0", memoryBytes: 80 * GiB }]);
  const ask: PartitionAsk = { service: "a", memoryBytes: GiB, isExclusive: false, zone: null, apart: "gpu" };
  assert.throws(() => index.release(ask, 0), /only where it is held/);
});
