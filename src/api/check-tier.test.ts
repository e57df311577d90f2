import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../base/json.ts";
import { checkDraft } from "./check-draft.ts";
import { parseManifests } from "./parse-manifests.ts";

/** `CODE path` of each warning. */
function warningsOf(spec: JsonObject): readonly string[] {
  const { problems, warnings } = checkDraft({
    kind: "HotStandbyConfig",
    name: "a",
    labels: {},
    annotations: {},
    spec: { tenant: "a", ...spec },
  });
  assert.deepEqual(problems, []);
  return warnings.map(({ code, path }) => `${code} ${path}`);
}

const zone = (name: string) => ({ nodeSelector: { "topology.kubernetes.io/zone": name } });
const cases: readonly { readonly name: string; readonly spec: JsonObject; readonly warnings: readonly string[] }[] = [
  { name: "a bare platinum service has nothing to be warned of", spec: { tier: "platinum" }, warnings: [] },
  { name: "a bare gold service has nothing to be warned of", spec: { tier: "gold" }, warnings: [] },
  { name: "a bare silver service has nothing to be warned of", spec: { tier: "silver" }, warnings: [] },
  { name: "a tier that was inferred is told", spec: { failoverPolicy: { rtoTarget: "60s" } }, warnings: ["TIER_INFERRED spec.tier"] },
  {
    name: "one hot instance is weaker than platinum",
    spec: { tier: "platinum", hotStandby: { gpuCount: 1 } },
    warnings: ["WEAKER_THAN_TIER spec.hotStandby.gpuCount"],
  },
  {
    name: "a shared hot GPU is weaker than gold",
    spec: { tier: "gold", hotStandby: { gpuMemoryShare: true } },
    warnings: ["WEAKER_THAN_TIER spec.hotStandby.gpuMemoryShare"],
  },
  {
    name: "no warm instance is weaker than gold",
    spec: { tier: "gold", warmStandby: { gpuCount: 0 } },
    warnings: ["WEAKER_THAN_TIER spec.warmStandby"],
  },
  {
    name: "a lent warm instance is weaker than platinum, and lending comes later",
    spec: { tier: "platinum", warmStandby: { lend: "whenIdle" } },
    warnings: ["WEAKER_THAN_TIER spec.warmStandby.lend", "NOT_YET spec.warmStandby.lend"],
  },
  {
    name: "no cold reserve is weaker than gold",
    spec: { tier: "gold", coldStandby: {} },
    warnings: ["WEAKER_THAN_TIER spec.coldStandby.memoryReserved"],
  },
  {
    name: "a longer promise is weaker than the tier",
    spec: { tier: "platinum", failoverPolicy: { rtoTarget: "6s" } },
    warnings: ["WEAKER_THAN_TIER spec.failoverPolicy.rtoTarget"],
  },
  {
    name: "two hot instances in one zone are told, and warm beside them too",
    spec: { tier: "platinum", hotStandby: { gpuCount: 2, ...zone("az-1") }, warmStandby: zone("az-1") },
    warnings: [
      'ONE_ZONE spec.hotStandby.nodeSelector["topology.kubernetes.io/zone"]',
      'ONE_ZONE spec.warmStandby.nodeSelector["topology.kubernetes.io/zone"]',
    ],
  },
  {
    name: "hot on spot is told",
    spec: { tier: "silver", hotStandby: { capacityType: "spot" } },
    warnings: ["HOT_ON_SPOT spec.hotStandby.capacityType"],
  },
  {
    name: "advise mode is told",
    spec: { tier: "silver", failoverPolicy: { autoFailover: false } },
    warnings: ["ADVISE_MODE spec.failoverPolicy.autoFailover"],
  },
  {
    name: "a QoS class without a shared GPU is told to have no effect",
    spec: { tier: "platinum", qosClass: "gold", coldStandby: { gpuMemoryShare: false, memoryReserved: "40GB" } },
    warnings: ["NO_EFFECT spec.qosClass"],
  },
  {
    name: "fields of a later version are told at the place where they stand",
    spec: {
      tier: "silver",
      failoverPolicy: { failback: { steps: [50, 100] } },
      degraded: [{ kind: "queue", upTo: "1s" }, { kind: "model", name: "m" }, { kind: "shed" }],
    },
    warnings: [],
  },
];
for (const { name, spec, warnings } of cases) test(name, () => assert.deepEqual(warningsOf(spec), warnings));

test("both published documents of one file are accepted, with what they are weaker in", () => {
  const text = `apiVersion: inference.example.com/v1
kind: HotStandbyConfig
metadata:
  name: tenant-platinum
spec:
  tenant: tenant-platinum
  priority: high                  # low | normal | high
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
      hotStandby: { gpuCount: 2, memoryReserved: 80GB }
`;
  const { drafts, problems, warnings } = parseManifests([{ path: "p.yaml", text }]);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    drafts.map(({ kind, name }) => [kind, name]),
    [
      ["HotStandbyConfig", "tenant-platinum"],
      ["ReservationMap", "standby-gpu-reservation"],
    ],
  );
  assert.deepEqual(
    warnings.map(({ code, line, path }) => [code, line, path]),
    [
      ["TIER_INFERRED", 6, "spec.tier"],
      ["WEAKER_THAN_TIER", 16, "spec.warmStandby.gpuMemoryShare"],
      ["WEAKER_THAN_TIER", 18, "spec.coldStandby.memoryReserved"],
      ["ONE_ZONE", 12, 'spec.hotStandby.nodeSelector["topology.kubernetes.io/zone"]'],
    ],
  );
});
