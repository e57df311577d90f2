import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kind, Resource } from "../api/resource.ts";
import { uid, wallMs } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { KIND_TABLES } from "./kind-tables.ts";

function rowOf(kind: Kind, spec: JsonObject, status: JsonObject | null): Readonly<Record<string, string>> {
  const table = KIND_TABLES.find((candidate) => candidate.kind === kind);
  assert.ok(table);
  const empty = { version: "1", generation: 1, labels: {}, annotations: {} };
  const resource: Resource = { kind, name: "one", uid: uid("u"), createdAt: wallMs(0), spec, status, ...empty };
  return Object.fromEntries(table.cells(resource, 90_000).map((cell, at) => [table.titles[at] ?? "", cell.text]));
}
const states = (...names: readonly string[]): JsonObject => ({ instances: names.map((state) => ({ state })) });

const cells: readonly { readonly name: string; readonly spec: JsonObject; readonly status: JsonObject; readonly has: JsonObject }[] = [
  { name: "a sleeping instance beside those that are Ready", spec: {}, status: states("Ready", "Asleep"), has: { READY: "1/2 +1 asleep" } },
  { name: "moves that are left", spec: {}, status: { failovers: { inWindow: 1, max: 3 } }, has: { MOVES: "1/3" } },
  { name: "Hold at the limit", spec: {}, status: { failovers: { inWindow: 3, max: 3 } }, has: { MOVES: "3/3 hold" } },
  {
    name: "advise mode",
    spec: { failoverPolicy: { autoFailover: false } },
    status: { failovers: { inWindow: 0, max: 3 } },
    has: { MOVES: "advises" },
  },
];
for (const { name, spec, status, has } of cells) {
  test(`the table of services shows ${name}`, () => {
    const row = rowOf("HotStandbyConfig", spec, status);
    assert.deepEqual(Object.fromEntries(Object.keys(has).map((title) => [title, row[title] ?? null])), has);
  });
}

test("the table of records shows the move, its phase and its recovery time", () => {
  const spec = { service: "gold", action: "failover", from: "hot", to: "warm", cause: "refused", requestedBy: "automatic" };
  assert.deepEqual(rowOf("FailoverRecord", spec, { phase: "Completed", rtoMs: 212.4 }), {
    RECORD: "one",
    SERVICE: "gold",
    FROM: "hot",
    TO: "warm",
    CAUSE: "refused",
    PHASE: "Completed",
    RTO: "212 ms",
    AGE: "90s",
  });
  assert.deepEqual([rowOf("FailoverRecord", { ...spec, to: null }, null)].map(({ TO, PHASE, RTO }) => [TO, PHASE, RTO])[0], [
    "-",
    "Requested",
    "-",
  ]);
});

test("the table of partitions shows the code of a refusal, which runbooks are ordered by, and its arithmetic", () => {
  const spec = { instance: "gold-hot-1", mode: "mps", node: null, gpu: null, memory: 20_000_000_000 };
  const refusal = { code: "NO_CAPACITY", what: "No place.", why: "It needs 20 GB.", next: "Add a GPU." };
  const row = rowOf("GPUPartition", spec, { phase: "Pending", refusal });
  assert.deepEqual([row["GPU"], row["PHASE"], row["REFUSED BECAUSE"]], ["-", "Pending", "NO_CAPACITY: It needs 20 GB."]);
  assert.equal(rowOf("GPUPartition", { ...spec, node: "a", gpu: 1 }, { phase: "Bound" })["REFUSED BECAUSE"], "");
});
