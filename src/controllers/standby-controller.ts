import { instanceName, serviceName, type InstanceName, type ServiceName } from "../base/ids.ts";
import { isSameJson } from "../base/same-json.ts";
import type { UpMessage } from "../api/link-message.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import { serviceStatusJson } from "../api/parse-service-status.ts";
import type { Resource } from "../api/resource.ts";
import type { RouteTable } from "../api/route-table.ts";
import type { Member, ServiceStatus } from "../api/service-status.ts";
import { decideService, type ServiceDecision } from "../failover/decide-service.ts";
import type { InstanceAction } from "../failover/instance-look.ts";
import { serviceOfInstance } from "../failover/desired-instances.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
import type { Random } from "../ports/random.ts";
import type { Upstream } from "../ports/upstream.ts";
import { buildRouteTable, type TableContext } from "../routing/build-table.ts";
import { maxBatchOf } from "../wire/dialect-simulated.ts";
import { createGpuWatch } from "./gpu-watch.ts";
import { createIsolationWatch, type IsolationWatch } from "./isolation-watch.ts";
import { createInstanceTasks } from "./instance-tasks.ts";
import type { GatewayReports, TableDesk } from "./link-controller.ts";
import { listAll, must, observeNodes, ownerOf } from "./observe-service.ts";
import { observeService, type ServiceObservation } from "./observe-world.ts";
import { performAction, type ActionContext } from "./perform-action.ts";
import { createPromiseWatch } from "./promise-watch.ts";
import { readConfig, readStatus, zonesOf } from "./read-stored.ts";
import { createRecordShelf, type RecordShelf } from "./record-shelf.ts";
import { removeService } from "./remove-service.ts";
import type { Requeue } from "./requeue.ts";
import type { StandbyMemory } from "./standby-memory.ts";
import { createStormWatch } from "./storm-watch.ts";
import { TIER_RANK } from "./tier-rank.ts";

export interface StandbyPorts {
  readonly store: ClusterStore;
  readonly launcher: EngineLauncher;
  readonly driver: GpuDriver;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: EventLog;
  readonly desk: TableDesk & GatewayReports;
  /** Names this state to its engines. */
  readonly stateId: string;
}

export interface StandbyController {
  /** One look at one service. null = nothing of it is left. */
  reconcile(name: string): Promise<Requeue | null>;
  /** Every service that there is, or whose engines still run; the dearest promise first. */
  names(): Promise<readonly string[]>;
  /** What the stored statuses say, so that gateways can be let in before the first look. */
  storedTables(): Promise<readonly RouteTable[]>;
  /** A gateway's report: the next look judges for itself. */
  report(ejected: Extract<UpMessage, { type: "ejected" }>): void;
  /** A gateway woke an instance, or could not: the next look ratifies. */
  activated(report: Extract<UpMessage, { type: "rung-activated" }>): void;
  /** Finds who takes more of a shared GPU than it was granted; the next look at its service ends it. */
  readonly isolation: Pick<IsolationWatch, "look" | "counts" | "everyMs">;
  /** Ends what is at work here; engines run on. */
  stop(): Promise<void>;
}

/** With nothing to wait for, so often: what no event reports (a lost GPU) is seen then. */
const LOOK_AGAIN_MS = 2_000;
/** A record that could not be written is made again from the status. */
const RECORD_AGAIN_MS = 200;

/**
 * Brings every service to what its config asks for, and keeps it there. Observe, decide (failover/decide-service.ts), store the
 * intent, act; what an act led to is seen by the next look, whichever process makes it.
 * @param kick asks for a look at one service.
 */
export function createStandbyController(ports: StandbyPorts, kick: (service: string) => void): StandbyController {
  const kickFor = (instance: InstanceName): void => kick(ownerOf({ instance }));
  const memory: StandbyMemory = {
    services: new Map(),
    removals: new Map(),
    exits: new Map(),
    reports: new Map(),
    activations: new Map(),
    memos: new Map(),
    gpus: createGpuWatch(ports),
    isolation: createIsolationWatch(ports, kickFor),
    tasks: createInstanceTasks({ ...ports, claim: ports.stateId }, kickFor),
    records: createRecordShelf(ports.store, kick),
    promises: createPromiseWatch(ports, kick),
    storms: createStormWatch(),
  };
  const listening = ports.launcher.onExit((exit) => {
    memory.exits.set(exit.instance, exit);
    const { instance, generation, reason, lastLog } = exit;
    ports.log.record({ level: "warn", event: "standby.engine-ended", fields: { instance, generation, reason, lastLog } });
    kickFor(instance);
  });
  return {
    reconcile: (name) => reconcileService(serviceName(name), ports, memory),
    names: () => firstNames(ports),
    storedTables: () => storedTables(ports.store),
    report({ service, instance, generation, cause }) {
      if (!memory.services.has(service)) return;
      memory.reports.set(instance, { generation, cause });
      kick(service);
    },
    activated({ service, instance, generation, because, outcome, reason }) {
      if (!memory.services.has(service)) return;
      memory.activations.set(instance, { generation, because, outcome, reason });
      kick(service);
    },
    isolation: memory.isolation,
    async stop() {
      listening.stop();
      memory.records.stop();
      memory.promises.stop();
      await memory.tasks.stop();
    },
  };
}

async function reconcileService(name: ServiceName, ports: StandbyPorts, memory: StandbyMemory): Promise<Requeue | null> {
  const found = await ports.store.get("HotStandbyConfig", name);
  if (!found.ok && found.error.code === "NOT_FOUND") return removeService(name, ports, memory);
  const resource = must(found, `HotStandbyConfig ${name}`);
  const config = readConfig(resource);
  // The door checks every spec: this one was stored by another version. Its last table keeps serving.
  if (!config.ok) throw new Error(`HotStandbyConfig ${name} cannot be read: ${config.error[0]?.what ?? "no reason"}`);
  memory.services.set(name, { uid: resource.uid, engine: config.value.model.engine });
  memory.removals.delete(name);
  const look = await observeService(resource, config.value, ports, memory);
  const decided = decideService(look.world);
  if (!(await recordIntent(resource, look.world.status, decided.next, ports.store))) return { afterMs: 0 };
  const isRecorded = await writeRecords(name, decided, memory.records, ports.log);
  publishIfNew(config.value, decided.next, look.world.table, ports.desk);
  remember(look, decided, memory);
  memory.storms.saw(name, decided.next.openMove, look.world);
  for (const note of decided.notes) {
    ports.log.record({ level: "info", event: "standby.decided", fields: { service: name, what: note.what, why: note.why } });
  }
  performAll(decided, { look, config: config.value }, ports, memory);
  // Where somebody waits for this process, arithmetic does too.
  if (!decided.actions.some(isUrgent)) memory.promises.refresh();
  return { afterMs: Math.min(decided.lookAgainAfterMs ?? LOOK_AGAIN_MS, isRecorded ? LOOK_AGAIN_MS : RECORD_AGAIN_MS) };
}

function performAll(
  { actions, next }: ServiceDecision,
  seen: { readonly look: ServiceObservation; readonly config: HotStandbyConfig },
  { launcher }: StandbyPorts,
  { tasks }: StandbyMemory,
): void {
  if (actions.length === 0) return;
  const context: ActionContext = {
    ...seen.look,
    config: seen.config,
    members: membersOf(seen.look.world.status, next),
    machineOf: (node) => launcher.machineOf(node),
  };
  // What is urgent asks first for what all need.
  const ordered = actions.toSorted((left, right) => Number(isUrgent(right)) - Number(isUrgent(left)));
  for (const action of ordered) performAction(action, context, tasks);
}

function publishIfNew(config: HotStandbyConfig, next: ServiceStatus, context: TableContext, desk: TableDesk): void {
  const inForce = desk.tableOf(context.uid);
  if (inForce === null || inForce.epoch !== next.epoch || inForce.revision !== next.revision)
    desk.publish(buildRouteTable(config, next, context));
}

/** Records tell of a move and decide nothing: the move waits for none that cannot be written. */
async function writeRecords(name: ServiceName, { records }: ServiceDecision, shelf: RecordShelf, log: EventLog): Promise<boolean> {
  try {
    await shelf.write(name, records);
    return true;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    log.record({ level: "warn", event: "standby.record-not-written", fields: { service: name, reason } });
    return false;
  }
}

const isUrgent = (action: InstanceAction): boolean => (action.type === "start" || action.type === "wake") && action.isUrgent;

/** Where each stands; of one that moves, where it stood before: its bytes are there still. */
function membersOf(before: ServiceStatus | null, next: ServiceStatus): ReadonlyMap<InstanceName, readonly Member[]> {
  const stood = before?.instances ?? [];
  return new Map([...next.instances, ...stood].map(({ name, members }) => [name, members]));
}

/** @returns false when somebody else wrote meanwhile: look again. */
async function recordIntent(resource: Resource, before: ServiceStatus | null, next: ServiceStatus, store: ClusterStore): Promise<boolean> {
  if (before === next) return true;
  const json = serviceStatusJson(next);
  if (before !== null && isSameJson(serviceStatusJson(before), json)) return true;
  const written = await store.writeStatus({ kind: "HotStandbyConfig", name: resource.name }, json, resource.version);
  if (!written.ok && (written.error.code === "CONFLICT" || written.error.code === "NOT_FOUND")) return false;
  must(written, `The status of ${resource.name}`);
  return true;
}

/** What the stored decision was made from is used up; what came in meanwhile waits for the next look. */
function remember(look: ServiceObservation, decided: ServiceDecision, memory: StandbyMemory): void {
  const { seen } = look.world;
  for (const [name, instance] of seen) {
    if (instance.exit !== null && memory.exits.get(name) === instance.exit) memory.exits.delete(name);
    if (instance.report !== null && memory.reports.get(name) === instance.report) memory.reports.delete(name);
    if (instance.activation !== null && memory.activations.get(name) === instance.activation) memory.activations.delete(name);
    if (instance.task !== null) memory.tasks.settle(name, instance.task);
    const memo = decided.memos.get(name);
    if (memo === undefined || !decided.next.instances.some((kept) => kept.name === name)) memory.memos.delete(name);
    else memory.memos.set(name, memo);
  }
}

async function firstNames(ports: Pick<StandbyPorts, "store" | "launcher">): Promise<readonly string[]> {
  const [resources, engines] = await Promise.all([listAll(ports.store, "HotStandbyConfig"), ports.launcher.observe()]);
  const ranked = resources.map((resource) => {
    const config = readConfig(resource);
    return { name: resource.name, rank: config.ok ? TIER_RANK[config.value.tier] : 3, priority: config.ok ? config.value.priority : 0 };
  });
  const ordered = ranked.toSorted((left, right) => left.rank - right.rank || right.priority - left.priority).map(({ name }) => name);
  return [...new Set([...ordered, ...engines.map(ownerOf)])];
}

async function storedTables(store: ClusterStore): Promise<readonly RouteTable[]> {
  const [resources, nodes] = await Promise.all([listAll(store, "HotStandbyConfig"), observeNodes(store)]);
  const zones = zonesOf(nodes);
  return resources.flatMap((resource) => {
    const config = readConfig(resource);
    const status = resource.status === null ? null : readStatus(resource.status);
    if (!config.ok || status === null || !status.ok) return [];
    return [buildRouteTable(config.value, status.value, { uid: resource.uid, maxBatch: maxBatchOf(config.value.model), zones })];
  });
}

/** The services that a changed partition may concern: its name ends in the instance's and a number. */
export function serviceOfPartition(partition: string): string | null {
  const instance = /-gpu-partition-(.+)-\d+$/.exec(partition)?.[1];
  return instance === undefined ? null : serviceOfInstance(instanceName(instance));
}
