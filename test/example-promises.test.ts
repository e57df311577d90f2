// What we ship can be kept: no promise of the examples is impossible, or at risk by the loss of one GPU, node or zone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkSet } from "../src/api/check-set.ts";
import { mergeReservation } from "../src/api/merge-reservation.ts";
import { parseManifests } from "../src/api/parse-manifests.ts";
import { vetDrafts } from "../src/failover/vet-drafts.ts";
import { root } from "./support/source-files.ts";

/** @returns the services, each with what is said of it. */
function vetFolder(folder: string): readonly string[] {
  const files = readdirSync(join(root, folder)).map((path) => ({ path, text: readFileSync(join(root, folder, path), "utf8") }));
  const { drafts, places, problems } = parseManifests(files);
  assert.deepEqual(problems, []);
  return vetDrafts({ drafts, places }).map(({ name, problem, warnings }) =>
    [name, problem?.what ?? "can be kept", ...warnings.map(({ what }) => what)].join(": "),
  );
}

test("every promise of examples/laptop can be kept, alone and together", () => {
  assert.deepEqual(vetFolder("examples/laptop"), [
    "tenant-gold: can be kept",
    "tenant-platinum: can be kept",
    "tenant-silver: can be kept",
  ]);
});

/** As the specification prints it, comments left out. */
const PRINTED = `apiVersion: inference.example.com/v1
kind: HotStandbyConfig
metadata:
  name: tenant-platinum
spec:
  tenant: tenant-platinum
  priority: high
  hotStandby:
    gpuCount: 2
    memoryReserved: 80GB
    nodeSelector:
      topology.kubernetes.io/zone: az-1
  warmStandby:
    gpuCount: 1
    memoryReserved: 40GB
    gpuMemoryShare: true
  coldStandby:
    imageCache: true
  failoverPolicy:
    autoFailover: true
    maxFailoverCount: 3
    rtoTarget: 5s
---
apiVersion: v1
kind: ConfigMap
metadata: { name: standby-gpu-reservation, namespace: kube-system }
data:
  reservation.yaml: |
    tenants:
    - name: tenant-platinum
      hotStandby: { gpuCount: 2, memoryReserved: 80GB, nodeSelector: { topology.kubernetes.io/zone: az-1 } }
      warmStandby: { gpuCount: 1, memoryReserved: 40GB, gpuMemoryShare: true }
    - name: tenant-gold
      hotStandby: { gpuCount: 1, memoryReserved: 40GB }
      warmStandby: { gpuMemoryShare: true, memoryReserved: 20GB }
`;
const PRINTED_NODE = `apiVersion: inference.example.com/v1
kind: GPUNode
metadata: { name: gpu-a, labels: { topology.kubernetes.io/zone: az-1 } }
spec: { capacityType: on-demand, hostMemory: 512GB, links: { hostToGpu: 54GB, disk: 12GB, network: 11GB }, gpus: [ { model: H100-80GB, count: 4 } ] }
`;

test("the manifests of the specification are accepted as they stand, without nodes and on the node that it prints", () => {
  for (const texts of [[PRINTED], [PRINTED, PRINTED_NODE]]) {
    const parsed = parseManifests(texts.map((text, index) => ({ path: `${index}.yaml`, text })));
    const merged = mergeReservation(parsed.drafts, parsed.places);
    assert.deepEqual([parsed.problems, merged.problems, checkSet(merged.drafts, merged.places)], [[], [], []]);
    const vetted = vetDrafts(merged);
    assert.deepEqual(
      vetted.map(({ name, problem }) => [name, problem]),
      [
        ["tenant-platinum", null],
        ["tenant-gold", null],
      ],
    );
  }
});
