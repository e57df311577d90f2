import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { parseResource } from "../api/parse-resource.ts";
import type { JsonObject } from "../base/json.ts";
import { requestsOf } from "./requests-of.ts";

function slicesOf(spec: JsonObject): readonly string[] {
  const config = parseHotStandbyConfig({ name: "s", spec: { tenant: "s", tier: "silver", ...spec } });
  assert.ok(config.ok);
  return requestsOf(config.value).map(
    ({ instance, isExclusive, isolation, computePercent, hostBytes }) =>
      `${instance} ${isExclusive ? "exclusive" : isolation} ${computePercent} ${hostBytes}`,
  );
}

const cases: readonly { readonly name: string; readonly spec: JsonObject; readonly slices: readonly string[] }[] = [
  {
    name: "a QoS class is the share of compute of a shared GPU",
    spec: { qosClass: "bronze", model: { name: "m", weights: "4GB" } },
    slices: ["s-hot-1 none 20 0"],
  },
  { name: "isolation is what each partition must give at least", spec: { isolation: "medium" }, slices: ["s-hot-1 medium 50 0"] },
  { name: "an exclusive GPU has no ceiling", spec: { hotStandby: { gpuMemoryShare: false } }, slices: ["s-hot-1 exclusive 100 0"] },
  {
    name: "a warm instance that rests asleep keeps its weights in host memory",
    spec: { warmStandby: { rest: "asleep", lend: "never" } },
    slices: ["s-hot-1 none 50 0", "s-warm-1 none 50 16000000000"],
  },
];
for (const { name, spec, slices } of cases) {
  test(`what a config wants bound: ${name}`, () => assert.deepEqual(slicesOf(spec), slices));
}

test("what a config wants bound: no label or annotation raises the class that its contract names", () => {
  const wishes = {
    qosClass: "gold",
    "inference.example.com/qos-class": "gold",
    "nvidia.com/priority": "0",
    "hami.io/gpu-cores": "100",
  };
  const manifest = {
    apiVersion: "inference.example.com/v1",
    kind: "HotStandbyConfig",
    metadata: { name: "s", labels: wishes, annotations: wishes },
    spec: { tenant: "s", tier: "silver", qosClass: "bronze", model: { name: "m", weights: "4GB" } },
  };
  const resource = parseResource(manifest);
  assert.ok(resource.ok);
  const config = parseHotStandbyConfig(resource.value);
  assert.ok(config.ok);
  assert.deepEqual(
    requestsOf(config.value).map(({ computePercent }) => computePercent),
    [20],
  );
});
