import assert from "node:assert/strict";
import { test } from "node:test";
import { parseResource } from "../api/parse-resource.ts";
import type { Resource } from "../api/resource.ts";
import { uid, wallMs } from "../base/ids.ts";
import { isSameValue } from "./is-same-value.ts";
import { toKubernetes } from "./kubernetes-form.ts";

const resource: Resource = {
  kind: "GPUNode",
  name: "gpu-a",
  uid: uid("u"),
  version: "7",
  generation: 2,
  createdAt: wallMs(0),
  labels: { "topology.kubernetes.io/zone": "az-1" },
  annotations: {},
  spec: { gpus: [{ model: "H100-80GB", count: 4 }] },
  status: null,
};

test("a resource in Kubernetes' form has what is there and leaves out what is not", () => {
  assert.deepEqual(toKubernetes(resource), {
    apiVersion: "inference.example.com/v1",
    kind: "GPUNode",
    metadata: {
      name: "gpu-a",
      uid: "u",
      resourceVersion: "7",
      generation: 2,
      creationTimestamp: "1970-01-01T00:00:00.000Z",
      labels: { "topology.kubernetes.io/zone": "az-1" },
    },
    spec: { gpus: [{ model: "H100-80GB", count: 4 }] },
  });
});

test("what the API gives out reads back as what was written", () => {
  const read = parseResource(toKubernetes({ ...resource, status: { phase: "Normal" } }));
  const { kind, name, labels, annotations, spec } = resource;
  assert.deepEqual(read, { ok: true, value: { kind, name, labels, annotations, spec } });
});

const pairs = [
  { left: { a: 1, b: [1, { c: null }] }, right: { b: [1, { c: null }], a: 1 }, isSame: true },
  { left: { a: 1 }, right: { a: 1, b: undefined }, isSame: true },
  { left: { a: null }, right: {}, isSame: false },
  { left: [1, 2], right: [2, 1], isSame: false },
  { left: { 0: 1 }, right: [1], isSame: false },
  { left: "1", right: 1, isSame: false },
];
for (const { left, right, isSame } of pairs) {
  test(`as JSON ${JSON.stringify(left)} and ${JSON.stringify(right)} are ${isSame ? "the same" : "different"}`, () => {
    assert.equal(isSameValue(left, right), isSame);
  });
}
