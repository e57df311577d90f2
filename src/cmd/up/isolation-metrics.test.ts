import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceName, monotonicMs, nodeName, serviceName, tenantId } from "../../base/ids.ts";
import { createRegistry } from "../../base/metric.ts";
import { NO_DIRT, type ObservedGpu } from "../../ports/gpu-driver.ts";
import { renderPrometheus } from "../../wire/prometheus-text.ts";
import { addIsolation, createShareMeter } from "./isolation-metrics.ts";

const gpuWith = (compute: { readonly grantedMs: number; readonly usedMs: number } | null, pid = 1): readonly ObservedGpu[] => [
  {
    node: nodeName("gpu-a"),
    gpu: 0,
    health: "ok",
    memoryBytes: 80e9,
    ...NO_DIRT,
    holders: [{ instance: instanceName("gold-hot-1"), pid, usedBytes: 1e9, state: "awake", compute }],
  },
];

function pageOf(meter: ReturnType<typeof createShareMeter>, gpus: readonly ObservedGpu[], atMs: number): string {
  const registry = createRegistry();
  meter.look(registry, gpus, monotonicMs(atMs));
  return renderPrometheus(registry);
}

test("share metrics: asked and achieved are what grew since the last look, of the time that passed", () => {
  const meter = createShareMeter();
  assert.doesNotMatch(pageOf(meter, gpuWith({ grantedMs: 500, usedMs: 400 }), 0), /gold-hot-1/);
  const page = pageOf(meter, gpuWith({ grantedMs: 1_500, usedMs: 1_300 }), 2_000);
  assert.match(page, /tidegate_gpu_compute_asked_ratio\{node="gpu-a",gpu="0",instance="gold-hot-1"\} 0\.5\n/);
  assert.match(page, /tidegate_gpu_compute_achieved_ratio\{node="gpu-a",gpu="0",instance="gold-hot-1"\} 0\.45\n/);
});

test("share metrics: another process, one that shares nothing, and an account that counts anew are no shares", () => {
  const meter = createShareMeter();
  pageOf(meter, gpuWith({ grantedMs: 500, usedMs: 400 }), 0);
  assert.doesNotMatch(pageOf(meter, gpuWith({ grantedMs: 900, usedMs: 900 }, 2), 2_000), /gold-hot-1/);
  assert.match(pageOf(meter, gpuWith({ grantedMs: 0, usedMs: 0 }, 2), 4_000), /asked_ratio\{[^}]*\} 0\n/);
  assert.doesNotMatch(pageOf(meter, gpuWith(null, 2), 6_000), /gold-hot-1/);
});

test("share metrics: violations are counted by tenant, service, instance and what was taken", () => {
  const registry = createRegistry();
  const who = { tenant: tenantId("t"), service: serviceName("gold"), instance: instanceName("gold-hot-1") };
  addIsolation(registry, { counts: () => [{ ...who, what: "compute", count: 2 }], everyMs: () => 500 });
  assert.match(renderPrometheus(registry), /tidegate_isolation_look_interval_seconds 0\.5\n/);
  assert.match(
    renderPrometheus(registry),
    /tidegate_isolation_violations_total\{tenant="t",service="gold",instance="gold-hot-1",what="compute"\} 2\n/,
  );
});
