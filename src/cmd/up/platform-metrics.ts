import { parseGpuPartition } from "../../api/parse-gpu-partition.ts";
import { parseServiceStatus } from "../../api/parse-service-status.ts";
import { createRegistry, type MetricRegistry } from "../../base/metric.ts";
import type { IsolationWatch } from "../../controllers/isolation-watch.ts";
import type { LinkController } from "../../controllers/link-controller.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { ClusterStore } from "../../ports/cluster-store.ts";
import type { GpuDriver } from "../../ports/gpu-driver.ts";
import type { WallMs } from "../../base/ids.ts";
import { renderPrometheus } from "../../wire/prometheus-text.ts";
import { addIsolation, createShareMeter, type ShareMeter } from "./isolation-metrics.ts";
import { addGpus } from "./gpu-metrics.ts";
import { addAlertStates, addLadderState, createMoveCounts, mergeFamilies, type MoveCounts } from "./ladder-metrics.ts";

export interface PlatformMetrics {
  /** As of the last look, at most two seconds ago. */
  render(): string;
  stop(): void;
}

interface MetricPorts {
  readonly store: ClusterStore;
  readonly driver: GpuDriver;
  readonly clock: Clock;
  readonly link: Pick<LinkController, "gateways" | "alertStates">;
  readonly isolation: Pick<IsolationWatch, "counts" | "everyMs">;
  /** When this process began: what was recorded before was counted before. */
  readonly startedAt: WallMs;
}

const LOOK_EVERY_MS = 2_000;
const LEVELS = ["hot", "warm", "cold", "degraded"] as const;

/** The control plane's own page: levels, instances, GPU bytes. What gateways count is on their pages. */
export function createPlatformMetrics(ports: MetricPorts): PlatformMetrics {
  const moves = createMoveCounts(ports.startedAt);
  const shares = createShareMeter();
  let page = "";
  let timer: Timer | null = null;
  let isStopped = false;
  const look = async (): Promise<void> => {
    page = await renderOnce(ports, moves, shares);
    if (!isStopped) timer = ports.clock.after(LOOK_EVERY_MS, () => void look());
  };
  void look();
  return {
    render: () => page,
    stop() {
      isStopped = true;
      timer?.cancel();
    },
  };
}

async function renderOnce(ports: MetricPorts, moves: MoveCounts, shares: ShareMeter): Promise<string> {
  // A registry per look: what is gone leaves the page with it.
  const registry = createRegistry();
  registry.gauge("tidegate_gateways_connected", "Gateways joined to this control plane.", []).with().set(ports.link.gateways().length);
  addAlertStates(registry, ports.link.alertStates());
  addIsolation(registry, ports.isolation);
  const records = ports.store.list("FailoverRecord");
  const looked = addGpus(registry, ports.driver).then((gpus) => shares.look(registry, gpus, ports.clock.monotonicMs()));
  await Promise.all([addServices(registry, ports.store), addReservations(registry, ports.store), looked]);
  const listed = await records;
  if (listed.ok) moves.look(listed.value.items);
  return renderPrometheus({ families: () => mergeFamilies(registry.families(), moves.families()) });
}

async function addServices(registry: MetricRegistry, store: ClusterStore): Promise<void> {
  const listed = await store.list("HotStandbyConfig");
  const level = registry.gauge("tidegate_service_level", "1 at the level that traffic belongs to now.", ["service", "level"]);
  const instances = registry.gauge("tidegate_service_instances", "Instances of a service by level and state.", [
    "service",
    "level",
    "state",
  ]);
  const services = (listed.ok ? listed.value.items : []).flatMap(({ name, status }) => {
    const parsed = parseServiceStatus(status);
    return parsed.ok ? [{ name, status: parsed.value }] : [];
  });
  addLadderState(registry, services);
  for (const { name: service, status } of services) {
    for (const name of LEVELS) level.with(service, name).set(status.level === name ? 1 : 0);
    const counts = new Map<string, number>();
    for (const instance of status.instances) {
      const key = `${instance.level} ${instance.state}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const [key, count] of counts) instances.with(service, ...key.split(" ")).set(count);
  }
}

async function addReservations(registry: MetricRegistry, store: ClusterStore): Promise<void> {
  const listed = await store.list("GPUPartition");
  const reserved = registry.gauge("tidegate_gpu_reserved_bytes", "Bytes promised to instances on a GPU.", ["node", "gpu"]);
  const sums = new Map<string, number>();
  for (const resource of listed.ok ? listed.value.items : []) {
    const partition = parseGpuPartition(resource);
    if (!partition.ok || partition.value.phase !== "Bound") continue;
    const key = `${partition.value.node} ${partition.value.gpu}`;
    sums.set(key, (sums.get(key) ?? 0) + partition.value.memoryBytes);
  }
  for (const [key, bytes] of sums) reserved.with(...key.split(" ")).set(bytes);
}
