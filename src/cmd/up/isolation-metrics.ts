import type { MetricRegistry } from "../../base/metric.ts";
import type { MonotonicMs } from "../../base/ids.ts";
import type { IsolationWatch } from "../../controllers/isolation-watch.ts";
import type { ObservedGpu } from "../../ports/gpu-driver.ts";

/** Asked and achieved share of the compute of shared GPUs, over the time between two looks. */
export interface ShareMeter {
  look(registry: MetricRegistry, gpus: readonly ObservedGpu[], nowMs: MonotonicMs): void;
}

interface Counted {
  readonly grantedMs: number;
  readonly usedMs: number;
}

export function createShareMeter(): ShareMeter {
  let before: { readonly atMs: MonotonicMs; readonly counted: ReadonlyMap<string, Counted> } | null = null;
  return {
    look(registry, gpus, nowMs) {
      const labels = ["node", "gpu", "instance"];
      const asked = registry.gauge(
        "tidegate_gpu_compute_asked_ratio",
        "Share of a shared GPU's compute that an instance was granted of late.",
        labels,
      );
      const achieved = registry.gauge(
        "tidegate_gpu_compute_achieved_ratio",
        "Share of a shared GPU's compute that an instance took of late.",
        labels,
      );
      const counted = new Map<string, Counted>();
      for (const { node, gpu, holders } of gpus) {
        for (const { instance, pid, compute } of holders) {
          if (compute === null) continue;
          const key = `${instance}#${pid} ${node}/${gpu}`;
          counted.set(key, compute);
          const last = before?.counted.get(key);
          const spanMs = before === null ? 0 : nowMs - before.atMs;
          if (last === undefined || spanMs <= 0) continue;
          // An account that was restarted counts anew.
          asked.with(node, `${gpu}`, instance).set(Math.max(0, compute.grantedMs - last.grantedMs) / spanMs);
          achieved.with(node, `${gpu}`, instance).set(Math.max(0, compute.usedMs - last.usedMs) / spanMs);
        }
      }
      before = { atMs: nowMs, counted };
    },
  };
}

export function addIsolation(registry: MetricRegistry, isolation: Pick<IsolationWatch, "counts" | "everyMs">): void {
  registry
    .gauge(
      "tidegate_isolation_look_interval_seconds",
      "How often each shared GPU is looked at: longer where more are shared than fit into one look.",
      [],
    )
    .with()
    .set(isolation.everyMs() / 1_000);
  const violations = registry.counter(
    "tidegate_isolation_violations_total",
    "Processes that were found to take more of a shared GPU than they were granted, and ended for it.",
    ["tenant", "service", "instance", "what"],
  );
  for (const { tenant, service, instance, what, count } of isolation.counts()) violations.with(tenant, service, instance, what).add(count);
}
