import assert from "node:assert/strict";
import { test } from "node:test";
import { parseResource } from "../api/parse-resource.ts";
import type { Resource } from "../api/resource.ts";
import { uid, wallMs } from "../base/ids.ts";
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
