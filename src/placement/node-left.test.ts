import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GpuNode } from "../api/gpu-node.ts";
import { GB } from "../base/bytes.ts";
import { instanceName, nodeName, serviceName, tenantId } from "../base/ids.ts";
import { createFleetRoom } from "./fleet-room.ts";
import type { PlacementShape } from "./fleet-index.ts";
import { offerAt } from "./gpu-offer.ts";
import { NodeLeft } from "./node-left.ts";
import type { HeldSlice, InstanceRequest } from "./placement-request.ts";
import { AS_IN_PAPER, unusableMilli } from "./unusable-milli.ts";
import { WantedMix } from "./wanted-mix.ts";
import { mixOfModel, weighedByGpus, WorkloadMix } from "./workload-mix.ts";

const CARD_BYTES = 100 * GB;
const NODE_GPUS = 4;

const node: GpuNode = {
  name: nodeName("n"),
  labels: {},
  unsafeToolkit: null,
  zone: null,
  capacityType: "on-demand",
  hostMemoryBytes: 0,
  links: { hostToGpu: 1, disk: 1, network: 1 },
  gpus: Array.from({ length: NODE_GPUS }, (_, index) => ({ index, model: "X", memoryBytes: CARD_BYTES, modes: ["exclusive", "mps"] })),
};

/** Whole GPUs, one or several, or a part of one. */
interface Wish {
  readonly gpuCount: number;
  readonly percent: number;
}
const wish: fc.Arbitrary<Wish> = fc.oneof(
  fc.record({ gpuCount: fc.integer({ min: 1, max: NODE_GPUS + 1 }), percent: fc.constant(100) }),
  fc.record({ gpuCount: fc.constant(1), percent: fc.integer({ min: 1, max: 99 }) }),
);

const shapeOf = ({ gpuCount, percent }: Wish): PlacementShape => ({
  cpuMilli: 0,
  memoryMib: 0,
  gpuCount,
  gpuMilli: 10 * percent,
  models: [],
});
const requestOf = ({ gpuCount, percent }: Wish): InstanceRequest => ({
  instance: instanceName("i"),
  tenant: tenantId("t"),
  service: serviceName("s"),
  level: "hot",
  tier: "gold",
  priority: 0,
  isolation: "none",
  mayBeOversold: false,
  computePercent: 50,
  capBytes: null,
  memberBytes: Array.from({ length: gpuCount }, () => (percent * CARD_BYTES) / 100),
  isExclusive: percent === 100,
  nodeSelector: {},
  capacityType: null,
  hostBytes: 0,
});
const heldOf = (usedPercent: readonly number[]): readonly HeldSlice[] =>
  usedPercent.flatMap((percent, gpu) => {
    const memoryBytes = (percent * CARD_BYTES) / 100;
    const slice = {
      node: node.name,
      gpu,
      instance: instanceName(`h${gpu}`),
      service: null,
      tenant: null,
      level: null,
      mig: null,
      hostBytes: 0,
    };
    return percent === 0 ? [] : [{ ...slice, memoryBytes, mode: percent === 100 ? ("exclusive" as const) : ("mps" as const) }];
  });

const used = fc.array(fc.oneof(fc.constantFrom(0, 0, 100), fc.integer({ min: 1, max: 99 })), {
  minLength: NODE_GPUS,
  maxLength: NODE_GPUS,
});

test("where GPUs have no modes to choose from, the planner's term is the placement bench's: the unusable milli after less those before", () => {
  let compared = 0;
  fc.assert(
    fc.property(used, fc.array(wish, { minLength: 1, maxLength: 6 }), wish, (usedPercent, wishes, asked) => {
      const gpus = createFleetRoom({ nodes: [node], held: heldOf(usedPercent), lost: [], quarantined: [] }).gpusOf(node.name);
      const request = requestOf(asked);
      const offers = gpus.flatMap((gpu) => (request.isExclusive && gpu.holderCount > 0 ? [] : (offerAt(request, gpu) ?? [])));
      const taken = offers.slice(0, asked.gpuCount);
      if (taken.length < asked.gpuCount) return;
      compared += 1;
      const mix = new WorkloadMix();
      for (const each of wishes) mix.add(shapeOf(each));
      const model = mixOfModel(weighedByGpus(mix.shares(1), 2), "X");
      const free = usedPercent.map((percent) => 1_000 - 10 * percent);
      const unusable = (gpuMilli: readonly number[]): number =>
        unusableMilli(model, { cpuMilli: 0, gpuCount: NODE_GPUS, gpuMilli: Int32Array.from(gpuMilli) }, AS_IN_PAPER);
      const after = free.map((milli, gpu) => (taken.some((offer) => offer.gpu.gpu === gpu) ? milli - 10 * asked.percent : milli));
      const expected = (unusable(after) - unusable(free)) / 10;
      const told = new NodeLeft(gpus, new WantedMix(wishes.map(requestOf)).at(node)).strandedPercent(taken);
      assert.ok(Math.abs(told - expected) <= 0.5 + 1e-6, `${told} is not ${expected}, rounded`);
    }),
    { numRuns: 500 },
  );
  assert.ok(compared > 100, `only ${compared} had room`);
});

const told = (usedPercent: readonly number[], wanted: readonly InstanceRequest[], asked: InstanceRequest): readonly number[] => {
  const gpus = createFleetRoom({ nodes: [node], held: heldOf(usedPercent), lost: [], quarantined: [] }).gpusOf(node.name);
  const left = new NodeLeft(gpus, new WantedMix(wanted).at(node));
  return left.eachStrandedPercent(gpus.flatMap((gpu) => offerAt(asked, gpu) ?? []));
};
const part = (percent: number): InstanceRequest => requestOf({ gpuCount: 1, percent });

test("what may not come to the node has no use for what idles there, so that taking it is a gain", () => {
  const elsewhere = { ...part(20), nodeSelector: { rack: "r1" } };
  assert.deepEqual(told([0, 100, 100, 100], [part(20)], part(40)), [0]);
  assert.deepEqual(told([0, 100, 100, 100], [part(20), elsewhere], part(40)), [-20]);
});

test("what its class caps below what it asks for is of no use to anybody either", () => {
  assert.deepEqual(told([0, 100, 100, 100], [{ ...part(20), capBytes: 1 }], part(40)), [-40]);
});

test("where nothing is wanted, nothing is lost", () => {
  assert.deepEqual(told([0, 50, 100, 100], [], part(40)), [0, 0]);
});

test("unused GPUs are alike, and one in use is not", () => {
  assert.deepEqual(told([0, 50, 0, 100], [part(100)], part(10)), [90, -10, 90]);
});

test("the order in which things are wanted changes nothing", () => {
  fc.assert(
    fc.property(used, fc.array(wish, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 99 }), (usedPercent, wishes, percent) => {
      const wanted = wishes.map(requestOf);
      assert.deepEqual(told(usedPercent, wanted, part(percent)), told(usedPercent, wanted.toReversed(), part(percent)));
    }),
  );
});
