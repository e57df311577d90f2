import assert from "node:assert/strict";
import { test } from "node:test";
import type { FleetNode, PlacementShape } from "../../src/placement/fleet-index.ts";
import { countViolations, replayLog } from "./replay-log.ts";
import { runTrace } from "./run-trace.ts";
import { POLICY_NAMES } from "./policies.ts";

const nodes: readonly FleetNode[] = [
  { name: "b", model: "H100", gpuCount: 2, cpuMilli: 10_000, memoryMib: 100 },
  { name: "a", model: "T4", gpuCount: 1, cpuMilli: 4_000, memoryMib: 100 },
];
const pod = (over: Partial<PlacementShape>): PlacementShape => ({
  cpuMilli: 1_000,
  memoryMib: 1,
  gpuCount: 1,
  gpuMilli: 600,
  models: [],
  ...over,
});

const logs = [
  { name: "two parts of one GPU that are more than all of it", arrivals: [pod({}), pod({})], places: [at(1, 0), at(1, 0)], is: 1 },
  { name: "two parts on two GPUs are none", arrivals: [pod({}), pod({})], places: [at(1, 0), at(1, 1)], is: 0 },
  { name: "a model that was not asked for", arrivals: [pod({ models: ["H100"] })], places: [at(0, 0)], is: 1 },
  { name: "CPU that the node does not have", arrivals: [pod({ cpuMilli: 4_001 })], places: [at(0, 0)], is: 1 },
  { name: "a pair on one GPU", arrivals: [pod({ gpuCount: 2 })], places: [at(1, 0, 0)], is: 1 },
  { name: "a GPU that the node does not have", arrivals: [pod({})], places: [at(0, 1)], is: 1 },
  { name: "what found no place is none", arrivals: [pod({})], places: [null], is: 0 },
];
for (const { name, arrivals, places, is } of logs)
  test(`violations of a log: ${name}`, () => assert.equal(countViolations({ nodes, arrivals, places }), is));

function at(node: number, ...gpus: readonly number[]) {
  return { node, gpus };
}

test("allocation at a load is the mean over the arrivals that come to it, failed ones included", () => {
  // 3 GPUs; loads 20, 40, ... %: five pods of 600 come to 100 %, the last of them finds no place.
  const arrivals = Array.from({ length: 5 }, () => pod({}));
  const places = [at(0, 0), at(1, 0), at(1, 1), null, null];
  const share = { shape: pod({ gpuMilli: 1_000 }), share: 1 };
  const read = replayLog({ nodes, arrivals, places }, [share]);
  assert.equal(read[100].allocation?.toFixed(3), "60.000");
  assert.equal(read[100].fragmentationOfAll?.toFixed(3), "40.000");
  assert.equal(read[100].fragmentationOfIdle?.toFixed(3), "100.000");
  assert.equal(read[90].allocation, null);
});

for (const policy of POLICY_NAMES)
  test(`${policy} decides the same twice, and gives nothing twice`, () => {
    const many = Array.from({ length: 12 }, (_, index) => ({ ...nodes[index % 2], name: `node-${index}` })).flatMap(({ model, ...rest }) =>
      model === undefined ? [] : [{ gpuCount: 1, cpuMilli: 8_000, memoryMib: 50, ...rest, model }],
    );
    const pods = Array.from({ length: 60 }, (_, index) =>
      pod({ gpuMilli: 200 + 100 * (index % 9), models: index % 5 === 0 ? ["T4"] : [] }),
    );
    const runs = [1, 2].map(() => runTrace({ nodes: many, pods, arrivals: pods, policy, seed: 3 }));
    assert.equal(runs[0]?.logHash, runs[1]?.logHash);
    assert.deepEqual([runs[0]?.violations, runs[0]?.placed === 0, runs[0]?.failed === 0], [0, false, false]);
  });
