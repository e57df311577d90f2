import { instanceName, serviceName, type InstanceName, type ServiceName } from "../base/ids.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { UpMessage } from "../api/link-message.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import { parseServiceStatus, serviceStatusJson } from "../api/parse-service-status.ts";
import type { Resource } from "../api/resource.ts";
import type { RouteTable } from "../api/route-table.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { decideService, type SeenInstance, type ServiceDecision, type ServiceWorld } from "../failover/decide-service.ts";
import { desiredInstances, reserveInstances, serviceOfInstance } from "../failover/desired-instances.ts";
import { NEW_MEMO } from "../failover/restart-memo.ts";
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
import { createInstanceTasks } from "./instance-tasks.ts";
import type { TableDesk } from "./link-controller.ts";
import { listAll, must, observeEngines, observeNodes, observePlacement, ownerOf } from "./observe-service.ts";
import { performAction } from "./perform-action.ts";
import { removeService } from "./remove-service.ts";
import type { Requeue } from "./requeue.ts";
import type { StandbyMemory } from "./standby-memory.ts";

export interface StandbyPorts {
  readonly store: ClusterStore;
  readonly launcher: EngineLauncher;
  readonly driver: GpuDriver;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: EventLog;
  readonly desk: TableDesk;
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
  /** Ends what is at work here; engines run on. */
  stop(): Promise<void>;
}

/** With nothing to wait for, so often: what no event reports (a lost GPU) is seen then. */
const LOOK_AGAIN_MS = 2_000;

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
    memos: new Map(),
    gpus: createGpuWatch(ports),
    tasks: createInstanceTasks({ ...ports, claim: ports.stateId }, kickFor),
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
    async stop() {
      listening.stop();
      await memory.tasks.stop();
    },
  };
}

async function reconcileService(name: ServiceName, ports: StandbyPorts, memory: StandbyMemory): Promise<Requeue | null> {
  const found = await ports.store.get("HotStandbyConfig", name);
  if (!found.ok && found.error.code === "NOT_FOUND") return removeService(name, ports, memory);
  const resource = must(found, `HotStandbyConfig ${name}`);
  const config = parseHotStandbyConfig(resource);
  // The door checks every spec: this one was stored by another version. Its last table keeps serving.
  if (!config.ok) throw new Error(`HotStandbyConfig ${name} cannot be read: ${config.error[0]?.what ?? "no reason"}`);
  memory.services.set(name, { uid: resource.uid, engine: config.value.model.engine });
  memory.removals.delete(name);
  const look = await observe(resource, config.value, ports, memory);
  const decided = decideService(look.world);
  if (!(await recordIntent(resource, look.world.status, decided.next, ports.store))) return { afterMs: 0 };
  ports.desk.publish(buildRouteTable(config.value, decided.next, look.world.table));
  remember(look, decided, memory);
  for (const note of decided.notes) {
    ports.log.record({ level: "info", event: "standby.decided", fields: { service: name, what: note.what, why: note.why } });
  }
  for (const action of decided.actions) performAction(action, { config: config.value, ...look }, memory.tasks);
  return { afterMs: Math.min(decided.lookAgainAfterMs ?? LOOK_AGAIN_MS, LOOK_AGAIN_MS) };
}

type Look = Awaited<ReturnType<typeof observe>>;

/** All reads. Tasks are read before the processes: one that says "loading" had a process before, one that is gone later has died. */
async function observe(resource: Resource, config: HotStandbyConfig, ports: StandbyPorts, memory: StandbyMemory) {
  const status = storedStatus(resource, ports.log);
  const asked = [...desiredInstances(config), ...reserveInstances(config), ...(status?.instances ?? [])].map((instance) => instance.name);
  const tasks = new Map(asked.map((name) => [name, memory.tasks.view(name)]));
  const reports = new Map(memory.reports);
  const [running, placed, nodes, lostGpus] = await Promise.all([
    observeEngines(ports.launcher, config.name),
    observePlacement(ports.store, config.name, config.model.tensorParallelSize),
    observeNodes(ports.store),
    memory.gpus.lost(),
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
      activation: null,
      memo: memory.memos.get(name) ?? NEW_MEMO,
    });
  }
  const zones = new Map([...nodes].flatMap(([node, { zone }]) => (zone === null ? [] : [[node, zone] as const])));
  const table: TableContext = { uid: resource.uid, maxBatch: maxBatchOf(config.model), zones };
  const world: ServiceWorld = {
    config,
    specGeneration: resource.generation,
    status,
    seen,
    table,
    isAcknowledged: ports.desk.isAcknowledged(resource.uid),
    lostGpus,
    nowMs: ports.clock.monotonicMs(),
    wallMs: ports.clock.wallMs(),
    freshToken: ports.random.token(8),
    episodes: [],
    requests: [],
    records: new Map(),
    capacitySamples: [],
    inFlight: 0,
  };
  return { world, nodes, memoryBytes: placed.memoryBytes };
}

/** @returns false when somebody else wrote meanwhile: look again. */
async function recordIntent(resource: Resource, before: ServiceStatus | null, next: ServiceStatus, store: ClusterStore): Promise<boolean> {
  const json = serviceStatusJson(next);
  if (before !== null && JSON.stringify(serviceStatusJson(before)) === JSON.stringify(json)) return true;
  const written = await store.writeStatus({ kind: "HotStandbyConfig", name: resource.name }, json, resource.version);
  if (!written.ok && (written.error.code === "CONFLICT" || written.error.code === "NOT_FOUND")) return false;
  must(written, `The status of ${resource.name}`);
  return true;
}

/** What the stored decision was made from is used up; what came in meanwhile waits for the next look. */
function remember(look: Look, decided: ServiceDecision, memory: StandbyMemory): void {
  const { seen } = look.world;
  for (const [name, instance] of seen) {
    if (instance.exit !== null && memory.exits.get(name) === instance.exit) memory.exits.delete(name);
    if (instance.report !== null && memory.reports.get(name) === instance.report) memory.reports.delete(name);
    if (instance.task !== null) memory.tasks.settle(name, instance.task);
    const memo = decided.memos.get(name);
    if (memo === undefined || !decided.next.instances.some((kept) => kept.name === name)) memory.memos.delete(name);
    else memory.memos.set(name, memo);
  }
}

/** One that cannot be read is as none: engines of unknown uids are ended, and started anew. */
function storedStatus(resource: Resource, log: EventLog): ServiceStatus | null {
  if (resource.status === null) return null;
  const parsed = parseServiceStatus(resource.status);
  if (parsed.ok) return parsed.value;
  const fields = { service: resource.name, reason: parsed.error[0]?.what ?? "no reason" };
  log.record({ level: "error", event: "standby.status-unreadable", fields });
  return null;
}

const TIER_RANK = { platinum: 0, gold: 1, silver: 2 };

async function firstNames(ports: Pick<StandbyPorts, "store" | "launcher">): Promise<readonly string[]> {
  const [resources, engines] = await Promise.all([listAll(ports.store, "HotStandbyConfig"), ports.launcher.observe()]);
  const ranked = resources.map((resource) => {
    const config = parseHotStandbyConfig(resource);
    return { name: resource.name, rank: config.ok ? TIER_RANK[config.value.tier] : 3, priority: config.ok ? config.value.priority : 0 };
  });
  const ordered = ranked.toSorted((left, right) => left.rank - right.rank || right.priority - left.priority).map(({ name }) => name);
  return [...new Set([...ordered, ...engines.map(ownerOf)])];
}

async function storedTables(store: ClusterStore): Promise<readonly RouteTable[]> {
  const [resources, nodes] = await Promise.all([listAll(store, "HotStandbyConfig"), observeNodes(store)]);
  const zones = new Map([...nodes].flatMap(([node, { zone }]) => (zone === null ? [] : [[node, zone] as const])));
  return resources.flatMap((resource) => {
    const config = parseHotStandbyConfig(resource);
    const status = resource.status === null ? null : parseServiceStatus(resource.status);
    if (!config.ok || status === null || !status.ok) return [];
    return [buildRouteTable(config.value, status.value, { uid: resource.uid, maxBatch: maxBatchOf(config.value.model), zones })];
  });
}

/** The services that a changed partition may concern: its name ends in the instance's and a number. */
export function serviceOfPartition(partition: string): string | null {
  const instance = /-gpu-partition-(.+)-\d+$/.exec(partition)?.[1];
  return instance === undefined ? null : serviceOfInstance(instanceName(instance));
}
