import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { isJsonObject } from "../base/json.ts";
import { fieldAt, FIELDS, namesBelow, ROOTS } from "./field-catalogue.ts";
import { gpuNodeSpec } from "./gpu-node-schema.ts";
import { hotStandbyConfigSpec } from "./hot-standby-config-schema.ts";
import { reservationSpec } from "./reservation-schema.ts";

/** Paths of all leaves of a JSON schema; a map or a list of scalars is one leaf. */
function leavesOf(schema: unknown, path: string): readonly string[] {
  if (!isJsonObject(schema)) return [];
  const variants = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(variants)) return [...new Set(variants.flatMap((variant: unknown) => leavesOf(variant, path)))];
  const { properties, items } = schema;
  if (isJsonObject(properties)) return Object.entries(properties).flatMap(([key, value]) => leavesOf(value, `${path}.${key}`));
  const below = leavesOf(items, `${path}[]`);
  return below.some((leaf) => leaf !== `${path}[]`) ? below : [path];
}

const schemas = { HotStandbyConfig: hotStandbyConfigSpec, GPUNode: gpuNodeSpec, ReservationMap: reservationSpec } as const;
for (const kind of ["HotStandbyConfig", "GPUNode", "ReservationMap"] as const) {
  test(`the field catalogue lists every leaf of the schema of ${kind}, and nothing else`, () => {
    const leaves = leavesOf(z.toJSONSchema(schemas[kind], { io: "input" }), ROOTS[kind].join("."));
    assert.deepEqual(FIELDS[kind].map((field) => field.path).toSorted(), leaves.toSorted());
  });
}

test("a path with indexes and keys finds its field, and items of lists and maps find theirs", () => {
  assert.equal(fieldAt("HotStandbyConfig", ["spec", "degraded", 3, "upTo"])?.field.path, "spec.degraded[].upTo");
  assert.deepEqual(fieldAt("HotStandbyConfig", ["spec", "model", "args", 0])?.isItem, true);
  assert.deepEqual(fieldAt("HotStandbyConfig", ["spec", "hotStandby", "nodeSelector", "a.b/c"])?.isItem, true);
  assert.equal(fieldAt("HotStandbyConfig", ["spec", "nothing"]), null);
  assert.deepEqual(namesBelow("GPUNode", ["spec", "gpus", 0]), ["model", "count", "modes"]);
  assert.deepEqual(namesBelow("GPUNode", ["spec"]), ["capacityType", "hostMemory", "links", "containerToolkit", "gpus"]);
});
