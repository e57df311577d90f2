import assert from "node:assert/strict";
import { test } from "node:test";
import { cpuScarcityOfKinds } from "./cpu-scarcity.ts";
import { fakeShape } from "./fake-shape.ts";
import type { NodeKind, PlacementShape } from "./fleet-index.ts";

const kind = (over: Partial<NodeKind>): NodeKind => ({ model: "H100", gpuCount: 8, cpuMilli: 96_000, nodeCount: 10, ...over });
/** Ten nodes rich in CPU, thirty others. */
const KINDS = [kind({ cpuMilli: 128_000 }), kind({ nodeCount: 30 })];
const eight = (over: Partial<PlacementShape>): PlacementShape => fakeShape({ gpuCount: 8, cpuMilli: 64_000, ...over });
const heavy = eight({ cpuMilli: 120_000 });

const cases: readonly {
  readonly name: string;
  readonly asked: readonly (readonly [PlacementShape, number])[];
  readonly kinds?: readonly NodeKind[];
  readonly is: readonly number[];
}[] = [
  { name: "where all fit all, nothing is scarce", asked: [[eight({}), 1]], is: [0, 0] },
  {
    name: "a fifth of all go only to a quarter of the nodes: the others take the rest of it in any case",
    asked: [
      [eight({}), 0.2],
      [heavy, 0.2],
      [fakeShape({ gpuCount: 1 }), 4.8],
    ],
    is: [0.4, 0],
  },
  {
    name: "more than there is makes it scarce by what is missing elsewhere",
    asked: [
      [heavy, 0.1],
      [fakeShape({}), 0.8],
    ],
    is: [0.5, 0],
  },
  { name: "one GPU with much CPU finds it anywhere", asked: [[fakeShape({ cpuMilli: 120_000 }), 1]], is: [0, 0] },
  {
    name: "what fits nowhere makes nothing scarce",
    asked: [
      [eight({ cpuMilli: 500_000 }), 0.1],
      [fakeShape({}), 0.9],
    ],
    is: [0, 0],
  },
  {
    name: "models that are named count apart",
    asked: [
      [eight({ models: ["H100"] }), 0.1],
      [fakeShape({}), 0.8],
    ],
    kinds: [kind({}), kind({ model: "L40S", cpuMilli: 128_000 })],
    is: [0, 0],
  },
  { name: "nobody asks for a GPU", asked: [[fakeShape({ gpuCount: 0, gpuMilli: 0 }), 1]], is: [0, 0] },
];
for (const { name, asked, kinds = KINDS, is } of cases)
  test(`scarce CPU: ${name}`, () => {
    const scarcity = cpuScarcityOfKinds(
      asked.map(([shape, share]) => ({ shape, share })),
      kinds,
    );
    assert.deepEqual(
      scarcity.map((ratio) => Math.round(20 * ratio) / 20),
      is,
    );
  });
