import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeName } from "../../base/ids.ts";
import type { ObservedGpu } from "../../ports/gpu-driver.ts";
import { ObservedFleet } from "./observed-fleet.ts";

const [A, B] = [nodeName("a"), nodeName("b")];
const gpu = (node: ObservedGpu["node"], bytes: number, dirtyBytes = 0): ObservedGpu => ({
  node,
  gpu: 0,
  health: "ok",
  memoryBytes: bytes,
  holders: [],
  dirty: dirtyBytes === 0 ? [] : [{ tenant: null, mig: null, bytes: dirtyBytes }],
  scrub: { scrubbedBytes: 0, waitCount: 0, waitedMs: 0 },
});

function fleetOf(shown: Map<ObservedGpu["node"], ObservedGpu>, isScrubbed: () => boolean = () => true): ObservedFleet {
  return new ObservedFleet(
    () => [...shown.keys()],
    (node) => [shown.get(node) ?? assert.fail()],
    isScrubbed,
  );
}

test("only the node that was touched is looked at again, and the others' GPUs stay the same objects", () => {
  const shown = new Map([A, B].map((node) => [node, gpu(node, 1)]));
  const fleet = fleetOf(shown);
  const before = fleet.show();
  shown.set(A, gpu(A, 2));
  shown.set(B, gpu(B, 2));
  assert.equal(fleet.show(), before);
  fleet.touch(A);
  const after = fleet.show();
  assert.deepEqual([after[0]?.memoryBytes, after[1]], [2, before[1]]);
  assert.equal(after[1], before[1]);
  fleet.touch(A);
  assert.equal(fleet.show(), after);
  shown.delete(A);
  fleet.touch(null);
  assert.deepEqual(
    fleet.show().map(({ node }) => node),
    [B],
  );
});

test("a node with dirty bytes is looked at each time from when they are scrubbed until there are none", () => {
  const shown = new Map([[A, gpu(A, 1, 9)]]);
  let isScrubbed = false;
  const fleet = fleetOf(shown, () => isScrubbed);
  const before = fleet.show();
  shown.set(A, gpu(A, 1, 4));
  assert.equal(fleet.show(), before);
  isScrubbed = true;
  assert.equal(fleet.show()[0]?.dirty[0]?.bytes, 4);
  shown.set(A, gpu(A, 1));
  const clean = fleet.show();
  assert.deepEqual(clean[0]?.dirty, []);
  shown.set(A, gpu(A, 2));
  assert.equal(fleet.show(), clean);
});

test("picked GPUs are those that were shown, but where something may have happened since, or nothing was shown", () => {
  const shown = new Map([A, B].map((node) => [node, gpu(node, 1)]));
  const fleet = fleetOf(shown);
  const pick = (...nodes: readonly ObservedGpu["node"][]): readonly ObservedGpu[] =>
    fleet.pick(
      nodes.map((node) => ({ node, gpu: 0 })),
      ({ node }) => shown.get(node) ?? null,
    );
  assert.deepEqual(pick(A), [gpu(A, 1)]);
  const before = fleet.show();
  shown.set(A, gpu(A, 2));
  shown.set(B, gpu(B, 2, 5));
  assert.equal(pick(A)[0], before[0]);
  fleet.touch(A);
  assert.deepEqual(pick(B, A), [before[1], gpu(A, 2)]);
  // Dirty bytes become fewer by themselves.
  fleet.touch(B);
  fleet.show();
  shown.set(B, gpu(B, 2, 4));
  assert.deepEqual(pick(B), [gpu(B, 2, 4)]);
  assert.deepEqual(pick(nodeName("c")), []);
  assert.deepEqual(
    fleet.pick([{ node: A, gpu: 1 }], () => null),
    [],
  );
});
