import { serviceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { createKeptMap } from "../base/map-kept.ts";
import { oncePer } from "../base/once-per.ts";
import { createRemembered } from "../base/remember.ts";
import { isSameJson } from "../base/same-json.ts";
import type { Result } from "../base/result.ts";
import { formatWall } from "../base/time.ts";
import type { GpuPartition } from "../api/gpu-partition.ts";
import { gpuPartitionSpec } from "../api/parse-gpu-partition.ts";
import type { Resource } from "../api/resource.ts";
import { NO_ORDERS } from "../placement/next-relocation.ts";
import {
  isHeld,
  isPlaced,
  planPartitions,
  type AnyPartition,
  type PartitionPlan,
  type PartitionWorld,
  type SeenGpu,
} from "../placement/plan-partitions.ts";
import type { InstanceRequest } from "../placement/placement-request.ts";
import { realisedJson, realisePartition } from "../placement/realise-partition.ts";
import { requestsOf } from "../placement/requests-of.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore, StoreChange } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { GpuDriver, GpuDriverError, ObservedGpu } from "../ports/gpu-driver.ts";
import { listAll, observeNodes } from "./observe-service.ts";
import { advanceRelocation, beginRelocation, createRelocationSearch, type RelocationSearch } from "./relocations.ts";
import { readConfig, readPartition, readStatus } from "./read-stored.ts";
import type { Requeue } from "./requeue.ts";

export interface PartitionPorts {
  readonly store: ClusterStore;
  readonly driver: GpuDriver;
  readonly clock: Clock;
  readonly log: EventLog;
}

/** All is bound: what no event reports (a GPU that comes back) is seen then. */
const LOOK_AGAIN_MS = 5_000;
/** Something waits for a process to end, for room, or for the driver. */
const LOOK_AGAIN_SOON_MS = 250;

/**
 * The only allocator: brings the GPUPartitions of the whole fleet to what the configs ask for.
 * Observe, plan (placement/plan-partitions.ts), give back at the driver, store all or nothing, bind, report.
 * Each step is idempotent: after a crash between any two the next look plans the same and goes on.
 */
export async function reconcilePartitions(
  ports: PartitionPorts,
  planOf: typeof planPartitions = planPartitions,
  search: RelocationSearch = createRelocationSearch(),
): Promise<Requeue> {
  const stored = new Map((await listAll(ports.store, "GPUPartition")).map((resource) => [resource.name, resource]));
  const observed = await observeWorld(ports, [...stored.values()]);
  const relocations = await advanceRelocation(ports, observed, [...stored.values()]);
  if (relocations === null) return { afterMs: 0 };
  const world = { ...observed, orders: relocations.orders };
  const wanted = planOf(world);
  const inUse = await giveBack(ports, world, wanted);
  if (inUse === null) return { afterMs: LOOK_AGAIN_SOON_MS };
  const plan = inUse.size === 0 ? wanted : without(wanted, inUse);
  if (!(await storePlan(ports, stored, plan))) return { afterMs: 0 };
  const isAllBound = await bindAndReport(ports, plan, world);
  const hasBegun = await beginRelocation(ports, relocations, { world, plan, search });
  if (hasBegun) return { afterMs: 0 };
  const isWaiting =
    !isAllBound ||
    inUse.size > 0 ||
    relocations.isActive ||
    plan.releasing.length > 0 ||
    plan.outgrown.some(({ to }) => to !== null) ||
    plan.desired.some(({ partition }) => partition.node === null);
  return { afterMs: isWaiting || world.seen === null ? LOOK_AGAIN_SOON_MS : LOOK_AGAIN_MS };
}

const readRequests = oncePer(requestsOf);

/** As `planPartitions`, which is pure: the world that was planned last is not planned again. */
export function createPartitionPlanner(): typeof planPartitions {
  let last: { readonly world: PartitionWorld; readonly plan: PartitionPlan } | null = null;
  return (world) => {
    if (last === null || !isSameWorld(last.world, world))
      last = { world, plan: last === null ? planPartitions(world) : keepEqual(planPartitions(world), last.plan) };
    return last.plan;
  };
}

/** The plan, with the entries of the plan before it where nothing differs: what was done with those holds. */
function keepEqual(plan: PartitionPlan, before: PartitionPlan): PartitionPlan {
  const entries = new Map(before.desired.map((entry) => [entry.partition.name, entry]));
  return {
    ...plan,
    desired: plan.desired.map((entry) => {
      const known = entries.get(entry.partition.name);
      return known !== undefined && isSameJson(known, entry) ? known : entry;
    }),
  };
}

function isSameWorld(one: PartitionWorld, other: PartitionWorld): boolean {
  const lists = ["wanted", "known", "nodes", "seen", "quarantined"] as const;
  const isSameOrders = isSameJson(ordersOf(one), ordersOf(other));
  return isSameOrders && lists.every((list) => isSameJson(one[list], other[list])) && isSameJson([...one.untouched], [...other.untouched]);
}

const ordersOf = ({ orders = NO_ORDERS }: PartitionWorld): readonly unknown[] => [orders.closed, [...orders.of]];

async function observeWorld(ports: PartitionPorts, partitions: readonly Resource[]): Promise<PartitionWorld> {
  const configs = await listAll(ports.store, "HotStandbyConfig");
  const nodes = [...(await observeNodes(ports.store)).values()];
  const accounted = await ports.driver.ensureInventory(nodes);
  const observed = accounted.ok ? await ports.driver.observe() : accounted;
  if (!observed.ok) ports.log.record({ level: "warn", event: "partition.driver-unavailable", fields: { reason: observed.error.reason } });
  const parsed = configs.map((resource) => ({ resource, config: readConfig(resource) }));
  const asked = parsed.flatMap(({ config }) => (config.ok ? [readRequests(config.value)] : []));
  const kept = keptOf(ports.store);
  return {
    wanted: kept.wanted(asked, () => asked.flat()),
    untouched: new Set(parsed.filter(({ config }) => !config.ok).map(({ resource }) => serviceName(resource.name))),
    known: kept.partitions(partitions).flatMap((partition) => (partition.ok ? [partition.value] : [])),
    nodes,
    seen: observed.ok ? seenGpusOf(ports.driver)(observed.value) : null,
    quarantined: configs.flatMap(quarantinedOf),
  };
}

/** What is as it was at the look before is the same object, and the plan is spared it. */
const keptOf = oncePer((_store: ClusterStore) => ({
  wanted: createRemembered<readonly InstanceRequest[]>(),
  partitions: createKeptMap(readPartition),
}));

/** Of what the driver shows, what places depend on: how busy a process is moves nobody, and changes all the time. */
const seenGpusOf = oncePer((_driver: GpuDriver) => createKeptMap(seenGpu));
function seenGpu({ node, gpu, health, holders }: ObservedGpu): SeenGpu {
  return { node, gpu, health, holders: holders.map(({ instance, usedBytes }) => ({ instance, usedBytes })) };
}

/** GPUs that its service keeps away from, of a stored HotStandbyConfig. */
export function quarantinedOf(resource: Resource): PartitionWorld["quarantined"] {
  const status = resource.status === null ? null : readStatus(resource.status);
  if (status === null || !status.ok) return [];
  return status.value.quarantined.map(({ node, gpu }) => ({ node, gpu, service: serviceName(resource.name) }));
}

/** The plan for everybody else. */
const without = (plan: PartitionPlan, names: ReadonlySet<string>): PartitionPlan => ({
  ...plan,
  desired: plan.desired.filter(({ partition }) => !names.has(partition.name)),
  removed: plan.removed.filter(({ name }) => !names.has(name)),
});

/**
 * Before the store forgets a place, the driver does: no bytes are ever promised twice.
 * @returns partitions that cannot go yet, since a process runs in them: they stay as they are, and hold up nobody else. null = look again.
 */
async function giveBack({ driver, log }: PartitionPorts, world: PartitionWorld, plan: PartitionPlan): Promise<ReadonlySet<string> | null> {
  const { known } = world;
  const desired = new Map(plan.desired.map(({ partition }) => [partition.name, partition]));
  const moved = known.filter((partition) => {
    const next = desired.get(partition.name);
    return next !== undefined && (next.node !== partition.node || next.gpu !== partition.gpu || !isSameJson(next.mig, partition.mig));
  });
  const inUse = new Set<string>();
  for (const partition of [...plan.removed, ...moved]) {
    if (partition.node === null) continue;
    const removed = await driver.removePartition(partition);
    if (removed.ok) continue;
    log.record({ level: "warn", event: "partition.not-removed", fields: { partition: partition.name, reason: removed.error.reason } });
    if (removed.error.code !== "IN_USE") return null;
    inUse.add(partition.name);
  }
  const gone = [...plan.removed, ...moved].filter(isPlaced);
  return gone.length > 0 && (await isTakenSince(driver, gone, world)) ? null : inUse;
}

/** A start that was on its way may have got its bytes between the look and the giving back. After it nobody gets any: so what is seen now, counts. */
async function isTakenSince(driver: GpuDriver, gone: readonly GpuPartition[], world: PartitionWorld): Promise<boolean> {
  const observed = await driver.observe();
  if (!observed.ok) return true;
  const now = seenGpusOf(driver)(observed.value);
  return gone.some((partition) => isHeld(partition, now) && !isHeld(partition, world.seen));
}

/** false = somebody else wrote meanwhile, or the store is away: look again. */
async function storePlan({ store, log }: PartitionPorts, stored: ReadonlyMap<string, Resource>, plan: PartitionPlan): Promise<boolean> {
  const changes: readonly StoreChange[] = [
    ...plan.removed.map((partition) => ({ verb: "remove", kind: "GPUPartition", name: partition.name }) as const),
    ...plan.desired.flatMap((entry) => putOf(entry, stored.get(entry.partition.name))),
  ];
  if (changes.length === 0) return true;
  const written = await store.applyAll(changes);
  const planned = new Map(plan.desired.map(({ partition }) => [partition.name, partition]));
  const fields = { changes: changes.map((change) => describeChange(change, planned)), outcome: written.ok ? "stored" : written.error.code };
  log.record({ level: written.ok ? "info" : "warn", event: "partition.planned", fields });
  return written.ok;
}

type Desired = PartitionPlan["desired"][number];
/** Entries of plans that the stored object was found to say in full: the same two are not compared again. */
const saidBy = new WeakMap<Resource, Desired>();

function putOf(entry: Desired, current: Resource | undefined): readonly StoreChange[] {
  if (current !== undefined && saidBy.get(current) === entry) return [];
  const { partition } = entry;
  const spec = gpuPartitionSpec(partition);
  if (current !== undefined && isSameJson(current.spec, spec)) return [];
  const draft = { kind: "GPUPartition", name: partition.name, labels: {}, annotations: {}, spec } as const;
  return [{ verb: "put", draft, version: current?.version ?? null }];
}

function describeChange(change: StoreChange, planned: ReadonlyMap<string, AnyPartition>): JsonObject {
  if (change.verb !== "put") return { partition: change.name, to: "removed" };
  const partition = planned.get(change.draft.name);
  const to =
    partition === undefined || partition.node === null ? (partition?.refusal.code ?? "nowhere") : `${partition.node}/${partition.gpu}`;
  return { partition: change.draft.name, to, memory: change.draft.spec["memory"] };
}

/** @returns whether every placed partition is bound. */
async function bindAndReport(ports: PartitionPorts, plan: PartitionPlan, world: PartitionWorld): Promise<boolean> {
  const realised = realisedBy(world);
  const stored = new Map((await listAll(ports.store, "GPUPartition")).map((resource) => [resource.name, resource]));
  let isAllBound = true;
  for (const entry of plan.desired) {
    const { partition, notices } = entry;
    const resource = stored.get(partition.name);
    if (resource === undefined) continue;
    if (partition.node === null) {
      isAllBound = (await report(ports, resource, { phase: "Pending", refusal: { ...partition.refusal } })) && isAllBound;
      continue;
    }
    const bound = await bind(ports, partition);
    if (bound.ok && saidBy.get(resource) === entry) continue;
    const found = bound.ok ? realised(partition) : { refusal: notBound(partition, bound.error) };
    const status = { phase: bound.ok ? "Bound" : "Pending", ...found, lentTo: null, notices: notices.map((notice) => ({ ...notice })) };
    if (bound.ok && isReported(resource, status)) saidBy.set(resource, entry);
    else isAllBound = (await report(ports, resource, status)) && bound.ok && isAllBound;
  }
  for (const partition of plan.releasing) {
    const resource = stored.get(partition.name);
    if (resource !== undefined) await report(ports, resource, { phase: "Releasing", ...realised(partition), lentTo: null, notices: [] });
  }
  return isAllBound;
}

function realisedBy({ nodes }: PartitionWorld): (partition: GpuPartition) => JsonObject {
  const nodeOf = new Map(nodes.map((node) => [node.name, node]));
  return (partition) => {
    const model = nodeOf.get(partition.node)?.gpus.find(({ index }) => index === partition.gpu)?.model ?? null;
    return { realisedAs: realisedJson(realisePartition(partition, model)) };
  };
}

async function bind({ driver, log }: PartitionPorts, partition: GpuPartition): Promise<Result<null, GpuDriverError>> {
  const bound = await driver.ensurePartition(partition);
  if (!bound.ok) log.record({ level: "warn", event: "partition.not-bound", fields: { partition: partition.name, ...bound.error } });
  return bound;
}

const notBound = ({ instance, node, gpu, mode }: GpuPartition, { code, reason }: GpuDriverError): JsonObject => ({
  code,
  what: `${instance} has no share of ${node}/${gpu} by ${mode} yet.`,
  why: `Its driver says: ${reason}.`,
  next: "It is tried again; look at who else uses or cuts this GPU.",
});

/** Writes only what differs: a report that wakes this loop again would never rest. */
async function report({ store }: PartitionPorts, resource: Resource, status: JsonObject): Promise<boolean> {
  if (isReported(resource, status)) return true;
  return (await store.writeStatus(resource, reportOf(resource, status), resource.version)).ok;
}

const isReported = (resource: Resource, status: JsonObject): boolean =>
  resource.status !== null && isSameJson(resource.status, reportOf(resource, status));

const reportOf = ({ generation, createdAt }: Resource, status: JsonObject): JsonObject => ({
  ...status,
  observedGeneration: generation,
  createdAt: formatWall(createdAt),
});
