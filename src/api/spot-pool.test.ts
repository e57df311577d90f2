import assert from "node:assert/strict";
import { test } from "node:test";
import { ZONE_LABEL } from "./gpu-node.ts";
import { parseGpuNode } from "./parse-gpu-node.ts";
import { SPOT_POOL_LABEL, spotPoolOf } from "./spot-pool.ts";

const ZONE = { [ZONE_LABEL]: "az-1" };
const MACHINE = { "node.kubernetes.io/instance-type": "p5.48xlarge" };
const cases = [
  {
    name: "an on-demand node is of no spot pool, labelled or not",
    capacityType: "on-demand",
    labels: { ...ZONE, [SPOT_POOL_LABEL]: "p" },
    pool: null,
  },
  { name: "the label names the spot pool", capacityType: "spot", labels: { ...ZONE, ...MACHINE, [SPOT_POOL_LABEL]: "p" }, pool: "p" },
  {
    name: "without the label a spot pool is a machine type of a zone",
    capacityType: "spot",
    labels: { ...ZONE, ...MACHINE },
    pool: "az-1/p5.48xlarge",
  },
  {
    name: "without a machine type the GPUs tell spot pools of a zone apart",
    capacityType: "spot",
    labels: ZONE,
    pool: "az-1/2xH100-80GB+1xA10-24GB",
  },
  { name: "without a zone no spot pool is known", capacityType: "spot", labels: MACHINE, pool: null },
] as const;

for (const { name, capacityType, labels, pool } of cases) {
  test(name, () => {
    const gpus = [{ model: "H100-80GB", count: 2 }, { model: "A10-24GB" }];
    const read = parseGpuNode({ name: "n", labels, spec: { capacityType, gpus } });
    assert.ok(read.ok);
    assert.equal(spotPoolOf(read.value), pool);
  });
}
