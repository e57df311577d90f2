import type { InstanceName, NodeName, Uid } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import { createRemembered } from "../base/remember.ts";
import type { FailoverRecord } from "../api/failover-record.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { Resource } from "../api/resource.ts";
import type { Member, ServiceStatus } from "../api/service-status.ts";
import { alertGauges } from "../failover/alert-gauges.ts";
import type { SeenInstance, ServiceWorld } from "../failover/decide-service.ts";
import { desiredInstances, reserveInstances } from "../failover/desired-instances.ts";
import { NEW_MEMO } from "../failover/restart-memo.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Random } from "../ports/random.ts";
import type { TableContext } from "../routing/build-table.ts";
import { maxBatchOf } from "../wire/dialect-simulated.ts";
import type { GatewayReports, TableDesk } from "./link-controller.ts";
import { observeEngines, observeNodes, observePlacement, type ServicePlacement } from "./observe-service.ts";
import { readStatus, zonesOf } from "./read-stored.ts";
import type { StandbyMemory } from "./standby-memory.ts";

interface ObservePorts {
  readonly store: ClusterStore;
  readonly launcher: EngineLauncher;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: EventLog;
  readonly desk: TableDesk & GatewayReports;
}

/** One look at a service, and what its actions are carried out with. */
export interface ServiceObservation extends Pick<ServicePlacement, "memoryBytes" | "environments"> {
  readonly world: ServiceWorld;
  readonly nodes: ReadonlyMap<NodeName, GpuNode>;
}

/** All reads. Tasks are read before the processes: one that says "loading" had a process before, one that is gone later has died. */
export async function observeService(
  resource: Resource,
  config: HotStandbyConfig,
  ports: ObservePorts,
  memory: StandbyMemory,
): Promise<ServiceObservation> {
  const status = storedStatus(resource, ports.log);
  const asked = [...desiredInstances(config), ...reserveInstances(config), ...(status?.instances ?? [])].map((instance) => instance.name);
  const tasks = new Map(asked.map((name) => [name, memory.tasks.view(name)]));
  const reports = new Map(memory.reports);
  const activations = new Map(memory.activations);
  const placed = await observePlacement(ports.store, config.name, config.model.tensorParallelSize);
  const [running, nodes, troubled, stored] = await Promise.all([
    observeEngines(ports.launcher, config.name),
    observeNodes(ports.store),
    memory.gpus.troubled(config.name, placesOf(status, placed)),
    memory.records.of(config.name),
  ]);
  const exits = new Map(memory.exits);
  const names = new Set([...asked, ...running.keys()]);
  const seen = new Map<InstanceName, SeenInstance>();
  for (const name of names) {
    seen.set(name, {
      placement: placed.placements.get(name) ?? { kind: "waiting" },
      running: running.get(name) ?? null,
      task: tasks.get(name) ?? memory.tasks.view(name),
      exit: exits.get(name) ?? null,
      report: reports.get(name) ?? null,
      activation: activations.get(name) ?? null,
      violation: memory.isolation.violationOf(name),
      memo: memory.memos.get(name) ?? NEW_MEMO,
    });
  }
  const table: TableContext = { uid: resource.uid, maxBatch: maxBatchOf(config.model), zones: zonesOf(nodes) };
  const world: ServiceWorld = {
    config,
    specGeneration: resource.generation,
    status,
    seen,
    table,
    isAcknowledged: isAcknowledged(resource.uid, status, ports.desk),
    lostGpus: troubled?.lost ?? null,
    slowGpus: troubled?.slow ?? null,
    nowMs: ports.clock.monotonicMs(),
    wallMs: ports.clock.wallMs(),
    freshToken: ports.random.token(8),
    episodes: ports.desk.episodesOf(config.name),
    requests: stored.filter((record) => record.requestedBy === "operator" && !isFinished(record)),
    records: new Map(stored.flatMap((record) => (matters(record, status) ? [[record.name, record] as const] : []))),
    capacitySamples: ports.desk.capacitySamplesOf(config.name),
    inFlight: ports.desk.countsOf(config.name).inFlight,
    alerts: ports.desk.firingAlertsOf(config.name, status === null ? null : alertGauges(status)),
    vetting: memory.promises.vettingOf(config.name),
    storm: memory.storms.storm(memory.services.size),
  };
  return { world, nodes, memoryBytes: placed.memoryBytes, environments: placed.environments };
}

type GpuPlace = Pick<Member, "node" | "gpu">;

/** Where it stands, shall stand, and keeps away from. */
const placesOf = (status: ServiceStatus | null, placed: ServicePlacement): readonly GpuPlace[] =>
  placesBefore(placed)([status], () => [
    ...(status?.instances ?? []).flatMap(({ members }) => members),
    ...[...placed.placements.values()].flatMap((placement) => (placement.kind === "bound" ? placement.members : [])),
    ...(status?.quarantined ?? []),
  ]);

const placesBefore = oncePer((_placed: ServicePlacement) => createRemembered<readonly GpuPlace[]>());

/**
 * The table that every gateway has is the one that the status speaks of. A status whose write was answered by an error may be stored
 * and not published: the acknowledgements of the table before it say nothing of it.
 */
function isAcknowledged(of: Uid, status: ServiceStatus | null, desk: TableDesk): boolean {
  const table = desk.tableOf(of);
  const isInForce = status === null || (table?.epoch === status.epoch && table.revision === status.revision);
  return isInForce && desk.isAcknowledged(of);
}

const isFinished = ({ status }: FailoverRecord): boolean => status !== null && status.phase !== "Requested" && status.phase !== "Running";

const matters = (record: FailoverRecord, status: ServiceStatus | null): boolean =>
  !isFinished(record) || record.name === status?.openMove?.record || record.status?.epoch === status?.epoch;

/** One that cannot be read is as none: engines of unknown uids are ended, and started anew. */
function storedStatus(resource: Resource, log: EventLog): ServiceStatus | null {
  if (resource.status === null) return null;
  const parsed = readStatus(resource.status);
  if (parsed.ok) return parsed.value;
  const fields = { service: resource.name, reason: parsed.error[0]?.what ?? "no reason" };
  log.record({ level: "error", event: "standby.status-unreadable", fields });
  return null;
}
