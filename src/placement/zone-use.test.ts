import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGpuNode } from "../api/parse-gpu-node.ts";
import { ZONE_LABEL, type GpuNode } from "../api/gpu-node.ts";
import { GB } from "../base/bytes.ts";
import { instanceName, nodeName } from "../base/ids.ts";
import type { HeldSlice } from "./placement-request.ts";
import { ZoneUse } from "./zone-use.ts";

function node(name: string, zone: string | null): GpuNode {
  const labels: Record<string, string> = zone === null ? {} : { [ZONE_LABEL]: zone };
  const read = parseGpuNode({ name, labels, spec: { gpus: [{ model: "H100-80GB", count: 2 }] } });
  assert.ok(read.ok);
  return read.value;
}
const slice = (at: string, gpu: number, of: Pick<HeldSlice, "mode" | "memoryBytes">): HeldSlice => ({
  node: nodeName(at),
  gpu,
  instance: instanceName("i"),
  service: null,
  tenant: null,
  level: null,
  mig: null,
  hostBytes: 0,
  ...of,
});

const [a, b, c, d] = [node("a", "z1"), node("b", "z1"), node("c", null), node("d", null)];
const HALF = slice("a", 0, { mode: "mps", memoryBytes: 40 * GB });

test("a zone's use is of all its nodes, and those without a zone are one", () => {
  const zones = new ZoneUse([a, b, c, d], new Set());
  const held = [HALF, slice("d", 1, { mode: "mps", memoryBytes: 80 * GB })];
  assert.deepEqual(
    [a, b, c, d].map((each) => zones.usedPercent(each, () => held)),
    [13, 13, 25, 25],
  );
});

test("who has a GPU alone uses all of it", () => {
  const held = [slice("a", 0, { mode: "exclusive", memoryBytes: 10 * GB })];
  assert.equal(
    new ZoneUse([a], new Set()).usedPercent(a, () => held),
    50,
  );
});

test("a lost GPU is neither there nor in use", () => {
  const held = [HALF, slice("a", 1, { mode: "mps", memoryBytes: 20 * GB })];
  assert.equal(
    new ZoneUse([a], new Set(["a/0"])).usedPercent(a, () => held),
    25,
  );
});

test("what is held or given back after the first look counts, and before it only what is held then", () => {
  const zones = new ZoneUse([a], new Set());
  zones.add(HALF, 1);
  assert.equal(
    zones.usedPercent(a, () => [HALF]),
    25,
  );
  zones.add(slice("a", 1, { mode: "exclusive", memoryBytes: 10 * GB }), 1);
  zones.add(HALF, -1);
  assert.equal(
    zones.usedPercent(a, () => []),
    50,
  );
});
