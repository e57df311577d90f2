import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../base/json.ts";
import { mergeReservation } from "./merge-reservation.ts";
import { parseHotStandbyConfig } from "./parse-hot-standby-config.ts";
import { parseManifests } from "./parse-manifests.ts";
import { RESERVATION_NAME } from "./reservation.ts";
import type { ResourceDraft } from "./resource.ts";

const reservation = (...tenants: readonly JsonObject[]): ResourceDraft => ({
  kind: "ReservationMap",
  name: RESERVATION_NAME,
  labels: {},
  annotations: {},
  spec: { tenants },
});
const config = (name: string, spec: JsonObject = {}): ResourceDraft => ({
  kind: "HotStandbyConfig",
  name,
  labels: { team: "a" },
  annotations: {},
  spec: { tenant: name, tier: "gold", ...spec },
});
const merge = (...drafts: readonly ResourceDraft[]) => mergeReservation(drafts);
function serviceOf(merged: ReturnType<typeof merge>, name: string) {
  const draft = merged.drafts.find((one) => one.kind === "HotStandbyConfig" && one.name === name);
  assert.ok(draft !== undefined);
  const read = parseHotStandbyConfig(draft);
  assert.ok(read.ok);
  return read.value;
}
const warned = ({ warnings }: ReturnType<typeof merge>) =>
  warnings.filter(({ code }) => code.startsWith("RESERVATION")).map(({ code, path, what }) => ({ code, path, what }));

test("a level that the config does not write comes from the reservation, and the spec stays as it was written", () => {
  const written = config("gold", { hotStandby: { gpuCount: 1, memoryReserved: "40GB" } });
  const merged = merge(written, reservation({ name: "gold", warmStandby: { memoryReserved: "30GB", gpuMemoryShare: true } }));
  const { hot, warm, reservation: match } = serviceOf(merged, "gold");
  assert.deepEqual([hot.memoryReservedBytes, warm?.memoryReservedBytes, warm?.gpuCount], [40e9, 30e9, 1]);
  assert.deepEqual(match, { filled: ["warmStandby"], conflicts: [] });
  assert.deepEqual([merged.drafts[0]?.spec, merged.drafts[0]?.labels], [written.spec, written.labels]);
  assert.deepEqual([merged.problems, warned(merged)], [[], []]);
});

test("where both say something else the config wins, and each difference is warned of", () => {
  const written = config("gold", { warmStandby: { memoryReserved: "40GB" }, coldStandby: { gpuCount: 0 } });
  const entry = {
    name: "gold",
    warmStandby: { gpuCount: 2, memoryReserved: "20GB", nodeSelector: { zone: "b", rack: "1" } },
    coldStandby: { memoryReserved: "20GB" },
  };
  const merged = merge(written, reservation(entry));
  assert.deepEqual(serviceOf(merged, "gold").warm?.memoryReservedBytes, 40e9);
  const root = "data.reservation.yaml.tenants[0]";
  assert.deepEqual(warned(merged), [
    {
      code: "RESERVATION_CONFLICT",
      path: `${root}.warmStandby.gpuCount`,
      what: "gold: warmStandby.gpuCount is 1, and 2 in the reservation.",
    },
    {
      code: "RESERVATION_CONFLICT",
      path: `${root}.warmStandby.memoryReserved`,
      what: "gold: warmStandby.memoryReserved is 40GB, and 20GB in the reservation.",
    },
    {
      code: "RESERVATION_CONFLICT",
      path: `${root}.warmStandby.nodeSelector`,
      what: "gold: warmStandby.nodeSelector is any, and { rack: 1, zone: b } in the reservation.",
    },
    { code: "RESERVATION_CONFLICT", path: `${root}.coldStandby`, what: "gold: coldStandby is absent, and present in the reservation." },
  ]);
});

test("equal amounts in other units, and selectors in another order, are no conflict", () => {
  const written = config("gold", { warmStandby: { memoryReserved: "40GB", nodeSelector: { zone: "b", rack: "1" } } });
  const merged = merge(
    written,
    reservation({ name: "gold", warmStandby: { memoryReserved: "40000MB", nodeSelector: { rack: "1", zone: "b" } } }),
  );
  assert.deepEqual(merged.drafts[0], written);
  assert.deepEqual([merged.warnings, serviceOf(merged, "gold").reservation], [[], null]);
});

test("gpuCount 0 in the reservation of a level that the config takes away is no conflict", () => {
  const merged = merge(config("gold", { warmStandby: { gpuCount: 0 } }), reservation({ name: "gold", warmStandby: { gpuCount: 0 } }));
  assert.deepEqual(warned(merged), []);
});

test("an entry without a config derives one with every default, and says so", () => {
  const merged = merge(reservation({ name: "gold", hotStandby: { gpuCount: 2, memoryReserved: "80GB" } }));
  const [, derived] = merged.drafts;
  assert.deepEqual(
    [derived?.name, derived?.labels, derived?.spec],
    ["gold", { "tidegate/source": "reservation" }, { tenant: "gold", hotStandby: { gpuCount: 2, memoryReserved: "80GB" } }],
  );
  const service = serviceOf(merged, "gold");
  assert.deepEqual([service.tier, service.hot.gpuCount, service.reservation], ["silver", 2, null]);
  assert.deepEqual(
    warned(merged).map(({ code, path }) => [code, path]),
    [["RESERVATION_DERIVED", "data.reservation.yaml.tenants[0].name"]],
  );
});

test("an entry under a tenant's name means the tenant's only service that has no entry of its own", () => {
  const small = config("small", { tenant: "acme", model: { name: "tide-1b", weights: "2GB" } });
  const large = config("large", { tenant: "acme" });
  const entries = reservation(
    { name: "acme", coldStandby: { memoryReserved: "90GB" } },
    { name: "small", coldStandby: { memoryReserved: "9GB" } },
  );
  const merged = merge(small, large, entries);
  assert.deepEqual(
    ["small", "large"].map((name) => serviceOf(merged, name).cold?.memoryReservedBytes),
    [9e9, 90e9],
  );
  assert.equal(merged.drafts.length, 3);
});

test("an entry under the name of a tenant with several services changes none of them, and is warned of", () => {
  const small = config("small", { tenant: "acme", model: { name: "tide-1b" } });
  const large = config("large", { tenant: "acme" });
  const merged = merge(small, large, reservation({ name: "acme", coldStandby: { memoryReserved: "90GB" } }));
  assert.deepEqual(merged.drafts.slice(0, 2), [small, large]);
  assert.deepEqual(
    warned(merged).map(({ code }) => code),
    ["RESERVATION_AMBIGUOUS"],
  );
});

test("merging what was merged changes nothing, and without the entry every trace of it goes", () => {
  const map = reservation({ name: "gold", coldStandby: { memoryReserved: "90GB" } });
  const written = config("gold");
  const once = merge(written, map);
  assert.notDeepEqual(once.drafts[0], written);
  assert.deepEqual(mergeReservation(once.drafts).drafts, once.drafts);
  assert.deepEqual(mergeReservation([...once.drafts.slice(0, 1), reservation()]).drafts[0], written);
});

test("what a filled level makes wrong is told at its place in the reservation", () => {
  const text = `apiVersion: inference.example.com/v1
kind: HotStandbyConfig
metadata: { name: gold }
spec: { tenant: gold, tier: gold, traffic: { weights: [1] } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: standby-gpu-reservation, namespace: kube-system }
data:
  reservation.yaml: |
    tenants:
    - name: gold
      hotStandby:
        gpuCount: 2
        memoryReserved: 8GB
    - name: silver
      coldStandby:
        memoryReserved: 3GB
`;
  const { drafts, places } = parseManifests([{ path: "g.yaml", text }]);
  const { problems } = mergeReservation(drafts, places);
  assert.deepEqual(
    problems.map(({ code, file, line, column, path }) => [code, `${file}:${line}:${column}`, path]),
    [
      ["BELOW_WEIGHTS", "g.yaml:15:25", "data.reservation.yaml.tenants[0].hotStandby.memoryReserved"],
      ["WEIGHTS_MISMATCH", "g.yaml:4:55", "spec.traffic.weights"],
      ["BELOW_WEIGHTS", "g.yaml:18:25", "data.reservation.yaml.tenants[1].coldStandby.memoryReserved"],
    ],
  );
});
