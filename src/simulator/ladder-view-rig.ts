import { NO_DIRT } from "../ports/gpu-driver.ts";
import { NO_CLOCK, type FailoverRecord, type FailoverRecordStatus } from "../api/failover-record.ts";
import type { GpuPartition } from "../api/gpu-partition.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { NO_BURN, NO_FAILBACK, type InstanceStatus, type OpenMove, type ServiceStatus } from "../api/service-status.ts";
import { assert } from "../base/assert.ts";
import { epoch, generation, instanceName, nodeName, partitionName, serviceName, tenantId, uid, wallMs } from "../base/ids.ts";
import { formatWall } from "../base/time.ts";
import { fingerprintOf } from "../failover/desired-instances.ts";
import type { LadderView, ServiceView } from "./ladder-view.ts";
import { draft, worldModel } from "./world-resources.ts";

// For tests of checkers: one service with its whole ladder, as a view of the world shows it.

export const NAME = "tenant-a";
const POLICY = { maxFailoverCount: 2, window: "30s" };
const parsed = parseHotStandbyConfig(
  draft("HotStandbyConfig", NAME, {
    tenant: NAME,
    tier: "platinum",
    model: worldModel("tide-a"),
    hotStandby: { gpuCount: 2, memoryReserved: "80GB" },
    warmStandby: { gpuCount: 1, memoryReserved: "40GB", rest: "asleep" },
    coldStandby: { imageCache: true, memoryReserved: "40GB" },
    failoverPolicy: POLICY,
  }),
);
assert(parsed.ok, "the config is right");
const config = parsed.value;
export const at = (atMs: number): string => formatWall(wallMs(atMs));

export const instance = (name: string, more: Partial<InstanceStatus> = {}): InstanceStatus => ({
  name: instanceName(`${NAME}-${name}`),
  uid: uid(`${NAME}-${name}`),
  generation: generation(1),
  level: "hot",
  state: "Ready",
  weight: 0,
  members: [],
  endpoint: null,
  pid: null,
  serves: [serviceName(NAME)],
  fingerprint: fingerprintOf(config.model),
  failedStarts: 0,
  failedWakes: 0,
  violations: null,
  message: "",
  ...more,
});
export const hot1 = instance("hot-1", { weight: 80 });
export const hot2 = instance("hot-2", { weight: 20 });
export const warm1 = instance("warm-1", { level: "warm", state: "Asleep" });
export const dead = (one: InstanceStatus): InstanceStatus => ({ ...one, state: "Starting" });

export const status = (more: Partial<ServiceStatus> = {}): ServiceStatus => ({
  phase: "Normal",
  level: "hot",
  pinned: null,
  soakSince: null,
  failback: NO_FAILBACK,
  errorBudget: NO_BURN,
  openMove: null,
  epoch: epoch(1),
  revision: 1,
  observedGeneration: 1,
  instances: [hot1, hot2, warm1],
  failovers: { inWindow: 0, max: 2, windowStart: null },
  rto: { targetMs: 5_000, lastMs: null, worstMs: null },
  knownAnswer: "ok",
  knownAnswerOf: null,
  quarantined: [],
  history: [],
  conditions: [],
  ...more,
});
export const move = (more: Partial<OpenMove> = {}): OpenMove => ({
  record: `${NAME}-2`,
  epoch: epoch(2),
  from: "hot",
  to: "warm",
  cause: "refused",
  requestedBy: "automatic",
  decidedAt: at(1_000),
  ...more,
});
export const moved = (more: Partial<ServiceStatus> = {}): ServiceStatus =>
  status({
    level: "warm",
    epoch: epoch(2),
    revision: 2,
    openMove: move(),
    instances: [dead(hot1), dead(hot2), { ...warm1, state: "Ready" }],
    failovers: { inWindow: 1, max: 2, windowStart: at(1_000) },
    ...more,
  });

export const serviceView = (of: ServiceStatus): ServiceView => ({ name: NAME, config, specGeneration: 1, status: of });
export const view = (more: Partial<LadderView> = {}): LadderView => ({
  atMs: 0,
  wallMs: 0,
  services: [],
  records: [],
  partitions: [],
  gpus: [],
  engines: [],
  begun: [],
  isLinkCut: false,
  isControlled: true,
  performed: [],
  ...more,
});
export const statuses = (...list: readonly ServiceStatus[]): readonly LadderView[] =>
  list.map((of, index) => view({ atMs: index * 5_000, services: [serviceView(of)] }));

export const partition = (name: string, more: Partial<GpuPartition> = {}): GpuPartition => ({
  name: partitionName(`${name}-1`),
  tenant: tenantId(NAME),
  service: serviceName(NAME),
  instance: instanceName(name),
  mode: "exclusive",
  mig: null,
  leaving: null,
  memoryBytes: 40,
  computePercent: 100,
  node: nodeName("gpu-a"),
  gpu: 0,
  phase: "Bound",
  ...more,
});
export const gpu = (...holders: readonly (readonly [name: string, pid: number, usedBytes: number])[]): LadderView["gpus"] => [
  {
    node: nodeName("gpu-a"),
    gpu: 0,
    health: "ok",
    memoryBytes: 80,
    holders: holders.map(([name, pid, usedBytes]) => ({ instance: instanceName(name), pid, usedBytes, state: "awake", compute: null })),
    ...NO_DIRT,
  },
];
export const engine = (name: string, pid: number): LadderView["engines"][number] => ({
  instance: instanceName(name),
  uid: uid(name),
  generation: generation(1),
  address: { host: "127.0.0.1", port: 40_000 },
  pid,
});

export const record = (more: Partial<FailoverRecordStatus>): FailoverRecord => ({
  name: `${NAME}-2`,
  service: serviceName(NAME),
  action: "failover",
  from: "hot",
  to: "warm",
  cause: "refused",
  requestedBy: "automatic",
  status: {
    phase: "Running",
    epoch: epoch(2),
    clock: NO_CLOCK,
    rtoMs: null,
    capacityRtoMs: null,
    mttrrMs: null,
    affected: { requests: 0, lost: 0 },
    reason: "",
    ...more,
  },
});
export const records = (...list: readonly Partial<FailoverRecordStatus>[]): readonly LadderView[] =>
  list.map((one) => view({ records: [record(one)] }));
export const operatorsRecord: FailoverRecord = { ...record({}), name: "request-a", requestedBy: "operator" };
