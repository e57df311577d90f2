import assert from "node:assert/strict";
import { test } from "node:test";
import { gpuRelocationSpec, parseGpuRelocation } from "./parse-gpu-relocation.ts";
import type { JsonObject } from "../base/json.ts";

const place = (gpu: number, start: number): JsonObject => ({ node: "a", gpu, mig: { profile: "1g", start } });
const victim: JsonObject = { instance: "v-warm-1", level: "warm", from: place(0, 0), to: place(0, 5) };
const drain: JsonObject = { do: "drain", instance: "v-warm-1", at: { profile: "1g", start: 0 }, budgetMs: 5 };
const create: JsonObject = { do: "create", at: { profile: "4g", start: 0 }, budgetMs: 7 };
const cut: JsonObject = { from: 0, to: 0, steps: [drain, create], budgetMs: 12 };
const common: JsonObject = { wish: "w-hot-1", victims: [victim], cut, budgetMs: 12, rollbackBudgetMs: 9 };

const read = (spec: JsonObject) => parseGpuRelocation({ name: "w-hot-1", spec, status: null });

test("a journal of several GPUs, and of a wish that stands elsewhere, is read back as it was written", () => {
  const written = read({ ...common, places: [place(0, 0), place(1, 0)], wishFrom: [place(2, 4)] });
  assert.ok(written.ok);
  assert.deepEqual([written.value.places.map(({ gpu }) => gpu), written.value.wishFrom.length], [[0, 1], 1]);
  assert.deepEqual(read(gpuRelocationSpec(written.value)), written);
});

test("a journal of before, with one place and each step taken back beside it, says the same as one of now", () => {
  const restart: JsonObject = { ...drain, do: "restart" };
  const destroy: JsonObject = { ...create, do: "destroy" };
  const steps = [
    { forward: drain, inverse: restart },
    { forward: create, inverse: destroy },
  ];
  const before = read({ ...common, cut: { ...cut, steps, rollbackBudgetMs: 12 }, place: place(0, 0) });
  assert.deepEqual(before, read({ ...common, places: [place(0, 0)] }));
  assert.ok(before.ok);
});

test("a journal without a place is not readable", () => {
  const without = read(common);
  assert.ok(!without.ok);
  assert.deepEqual(
    without.error.map(({ path }) => path),
    ["places"],
  );
});
