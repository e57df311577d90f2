import type { MetricRegistry } from "../../base/metric.ts";
import type { GpuDriver, GpuHolder, ObservedGpu } from "../../ports/gpu-driver.ts";

/** GPUs as their driver sees them; nothing where it does not answer. @returns those. */
export async function addGpus(registry: MetricRegistry, driver: Pick<GpuDriver, "observe">): Promise<readonly ObservedGpu[]> {
  const seen = await driver.observe();
  const gpus = seen.ok ? seen.value : [];
  const used = registry.gauge("tidegate_gpu_used_bytes", "Bytes that processes hold on a GPU.", ["node", "gpu"]);
  const size = registry.gauge("tidegate_gpu_memory_bytes", "Bytes that a GPU has.", ["node", "gpu"]);
  for (const { node, gpu, memoryBytes, holders } of gpus) {
    used.with(node, `${gpu}`).set(holders.reduce((sum, holder) => sum + holder.usedBytes, 0));
    size.with(node, `${gpu}`).set(memoryBytes);
  }
  addStates(registry, gpus);
  return gpus;
}

const HEALTHS = ["ok", "lost", "needs-reset"] as const;

/** What of a GPU's memory is not what it seems, and what it cost to clean it. */
function addStates(registry: MetricRegistry, gpus: readonly ObservedGpu[]): void {
  const health = registry.gauge("tidegate_gpu_health", "1 at the health that the driver reports of a GPU.", ["node", "gpu", "health"]);
  const parked = registry.gauge("tidegate_gpu_parked_bytes", "Used bytes of a GPU that sleeping engines still hold.", ["node", "gpu"]);
  const gone = registry.gauge("tidegate_gpu_gone_bytes", "Used bytes of a GPU whose process is dead, not freed yet.", ["node", "gpu"]);
  const dirty = registry.gauge("tidegate_gpu_dirty_bytes", "Free bytes of a GPU that another tenant gets only scrubbed.", ["node", "gpu"]);
  const scrubbed = registry.counter("tidegate_gpu_scrubbed_bytes_total", "Bytes of a GPU that were scrubbed.", ["node", "gpu"]);
  const waits = registry.counter("tidegate_gpu_scrub_waits_total", "Starts and wakes that waited for a scrub.", ["node", "gpu"]);
  const waited = registry.counter("tidegate_gpu_scrub_wait_seconds_total", "How long they waited in all.", ["node", "gpu"]);
  for (const seen of gpus) {
    const labels = [seen.node, `${seen.gpu}`] as const;
    const held = (state: GpuHolder["state"]): number => sum(seen.holders.map((holder) => (holder.state === state ? holder.usedBytes : 0)));
    for (const name of HEALTHS) health.with(...labels, name).set(seen.health === name ? 1 : 0);
    parked.with(...labels).set(held("parked"));
    gone.with(...labels).set(held("gone"));
    dirty.with(...labels).set(sum(seen.dirty.map(({ bytes }) => bytes)));
    scrubbed.with(...labels).add(seen.scrub.scrubbedBytes);
    waits.with(...labels).add(seen.scrub.waitCount);
    waited.with(...labels).add(seen.scrub.waitedMs / 1_000);
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
