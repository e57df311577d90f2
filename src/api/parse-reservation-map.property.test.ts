import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mergeReservation } from "./merge-reservation.ts";
import { parseManifests } from "./parse-manifests.ts";

// The first line of the block sets its indentation.
const HEAD = [
  "apiVersion: v1",
  "kind: ConfigMap",
  "metadata: { name: standby-gpu-reservation, namespace: kube-system }",
  "data:",
  "  reservation.yaml: |",
  "    # Ours.",
];
const lines = fc.constantFrom(
  "tenants:",
  "- name: gold",
  "- name: a-b",
  "- { name: c, hotStandby: { gpuCount: 2 } }",
  "  hotStandby: { gpuCount: 1, memoryReserved: 40GB }",
  "  warmStandby:",
  "    memoryReserved: 20",
  "    memoryReserved: 20GB",
  "    nodeSelector: { zone: a }",
  "  coldStandby: &x { imageCache: true }",
  "  coldStandby: *x",
  "  unknown: 1",
  "# A remark.",
  "",
  "---",
  "  {",
  "'",
);

test("whatever stands in the block of a reservation, each problem is told at a line of that block and the rest merges", () => {
  fc.assert(
    fc.property(fc.array(lines, { maxLength: 12 }), (inside) => {
      const text = [...HEAD, ...inside.map((line) => `    ${line}`), ""].join("\n");
      const { drafts, problems, places } = parseManifests([{ path: "r.yaml", text }]);
      for (const { file, line, path } of problems) {
        assert.equal(file, "r.yaml");
        assert.ok(line !== null && line >= HEAD.length - 1 && line <= HEAD.length + 1 + inside.length, `${line} of ${text}`);
        assert.match(path, /^data/);
      }
      const merged = mergeReservation(drafts, places);
      assert.deepEqual(mergeReservation(merged.drafts.filter(({ kind }) => kind === "ReservationMap")).drafts, merged.drafts);
    }),
    { numRuns: 300 },
  );
});
