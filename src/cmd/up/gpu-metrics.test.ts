import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceName, nodeName, tenantId } from "../../base/ids.ts";
import { createRegistry } from "../../base/metric.ts";
import { ok } from "../../base/result.ts";
import { renderPrometheus } from "../../wire/prometheus-text.ts";
import { addGpus } from "./gpu-metrics.ts";

test("the page tells what sleeps on a GPU, what is left of dead processes, what is dirty, and what scrubs cost", async () => {
  const registry = createRegistry();
  const holder = (state: "awake" | "parked" | "gone", usedBytes: number) => ({
    instance: instanceName(state),
    pid: 1,
    usedBytes,
    state,
    compute: null,
  });
  await addGpus(registry, {
    observe: async () =>
      ok([
        {
          node: nodeName("gpu-a"),
          gpu: 1,
          health: "needs-reset",
          memoryBytes: 80,
          holders: [holder("awake", 40), holder("parked", 2), holder("gone", 5)],
          dirty: [{ tenant: tenantId("gold"), mig: null, bytes: 7 }],
          scrub: { scrubbedBytes: 9, waitCount: 3, waitedMs: 250 },
        },
      ]),
  });
  const lines = renderPrometheus(registry).split("\n");
  const at = 'node="gpu-a",gpu="1"';
  for (const line of [
    `tidegate_gpu_used_bytes{${at}} 47`,
    `tidegate_gpu_memory_bytes{${at}} 80`,
    `tidegate_gpu_health{${at},health="ok"} 0`,
    `tidegate_gpu_health{${at},health="needs-reset"} 1`,
    `tidegate_gpu_parked_bytes{${at}} 2`,
    `tidegate_gpu_gone_bytes{${at}} 5`,
    `tidegate_gpu_dirty_bytes{${at}} 7`,
    `tidegate_gpu_scrubbed_bytes_total{${at}} 9`,
    `tidegate_gpu_scrub_waits_total{${at}} 3`,
    `tidegate_gpu_scrub_wait_seconds_total{${at}} 0.25`,
  ])
    assert.ok(lines.includes(line), line);
});
