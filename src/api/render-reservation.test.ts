import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../base/json.ts";
import { mergeReservation } from "./merge-reservation.ts";
import { parseHotStandbyConfig } from "./parse-hot-standby-config.ts";
import { parseManifests } from "./parse-manifests.ts";
import { renderReservation } from "./render-reservation.ts";
import type { ResourceDraft } from "./resource.ts";

const config = (name: string, spec: JsonObject): ResourceDraft => ({
  kind: "HotStandbyConfig",
  name,
  labels: {},
  annotations: {},
  spec: { tenant: name, ...spec },
});
function rendered(drafts: readonly ResourceDraft[]): JsonObject {
  return renderReservation(
    drafts.flatMap((draft) => {
      const read = parseHotStandbyConfig(draft);
      assert.ok(read.ok, JSON.stringify(read));
      return [read.value];
    }),
  );
}
const platinum = config("tenant-platinum", {
  hotStandby: { gpuCount: 2, memoryReserved: "80GB", nodeSelector: { "topology.kubernetes.io/zone": "az-1" } },
  warmStandby: { gpuCount: 1, memoryReserved: "40GB", gpuMemoryShare: true },
  coldStandby: { imageCache: true },
  failoverPolicy: { rtoTarget: "5s" },
});

test("the reservation of the three tiers has each service once, bytes with units, and cold where something is held", () => {
  const map = rendered([config("tenant-silver", { tier: "silver" }), platinum, config("tenant-gold", { tier: "gold" })]);
  assert.deepEqual(
    { ...map, data: null },
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "standby-gpu-reservation", namespace: "kube-system" }, data: null },
  );
  assert.deepEqual(map["data"], {
    "reservation.yaml": `tenants:
  - name: tenant-gold
    hotStandby:
      gpuCount: 1
      memoryReserved: 20GB
      gpuMemoryShare: false
    warmStandby:
      gpuCount: 1
      memoryReserved: 20GB
      gpuMemoryShare: true
      rest: resident
      lend: whenIdle
    coldStandby:
      gpuCount: 1
      memoryReserved: 20GB
      gpuMemoryShare: true
      imageCache: false
  - name: tenant-platinum
    hotStandby:
      gpuCount: 2
      memoryReserved: 80GB
      gpuMemoryShare: false
      nodeSelector:
        topology.kubernetes.io/zone: az-1
    warmStandby:
      gpuCount: 1
      memoryReserved: 40GB
      gpuMemoryShare: true
      rest: resident
      lend: never
  - name: tenant-silver
    hotStandby:
      gpuCount: 1
      memoryReserved: 20GB
      gpuMemoryShare: true
`,
  });
});

const sets: readonly { readonly name: string; readonly drafts: readonly ResourceDraft[] }[] = [
  { name: "the published service", drafts: [platinum] },
  { name: "tiers alone", drafts: ["platinum", "gold", "silver"].map((tier) => config(tier, { tier })) },
  {
    name: "every field of a level",
    drafts: [
      config("all", {
        model: { name: "tide-70b", weights: "140GB", tensorParallelSize: 4 },
        hotStandby: {
          gpuCount: 8,
          minGpuCount: 4,
          maxGpuCount: 16,
          memoryReserved: "400Gi",
          capacityType: "on-demand",
          nodeSelector: { b: "1", a: "true" },
        },
        warmStandby: { gpuCount: 4, rest: "asleep", lend: "never", capacityType: "spot", gpuMemoryShare: false },
        coldStandby: { gpuCount: 4, memoryReserved: "175000000001B", imageCache: true, gpuMemoryShare: false },
      }),
    ],
  },
  {
    name: "levels that are taken away",
    drafts: [config("bare", { tier: "platinum", warmStandby: { gpuCount: 0 }, coldStandby: { gpuCount: 0 } })],
  },
  {
    name: "several services of one tenant, one under the tenant's name",
    drafts: [
      config("acme", { tier: "gold" }),
      config("acme-small", { tenant: "acme", tier: "silver", model: { name: "tide-1b", weights: "2GB" } }),
    ],
  },
];
for (const { name, drafts } of sets) {
  test(`the rendered reservation applied beside its configs changes nothing and contradicts nothing: ${name}`, () => {
    const map = rendered(drafts);
    const read = parseManifests([{ path: "rendered.json", text: JSON.stringify(map) }]);
    assert.deepEqual([read.problems, read.drafts.length], [[], 1]);
    const merged = mergeReservation([...drafts, ...read.drafts]);
    assert.deepEqual(merged.drafts.slice(0, drafts.length), drafts);
    assert.deepEqual([merged.drafts.length, merged.problems, merged.warnings], [drafts.length + 1, [], []]);
    assert.deepEqual(rendered(merged.drafts.slice(0, drafts.length)), map);
  });
}

test("what a reservation gives to a config is rendered with it", () => {
  const map = rendered([config("gold", { tier: "gold" })]);
  const larger: unknown = JSON.parse(JSON.stringify(map).replaceAll("20GB", "40GB"));
  const { drafts } = parseManifests([{ path: "larger.json", text: JSON.stringify(larger) }]);
  const merged = mergeReservation([config("gold", { tier: "gold" }), ...drafts]);
  assert.deepEqual(rendered(merged.drafts.slice(0, 1)), larger);
});
