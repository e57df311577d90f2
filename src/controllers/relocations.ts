import type { InstanceName, MonotonicMs, WallMs } from "../base/ids.ts";
import { formatWall, parseWall } from "../base/time.ts";
import { isJsonObject } from "../base/json.ts";
import { isSameJson } from "../base/same-json.ts";
import { isEnded, type GpuRelocation } from "../api/gpu-relocation.ts";
import { gpuRelocationSpec, parseGpuRelocation } from "../api/parse-gpu-relocation.ts";
import type { Resource } from "../api/resource.ts";
import {
  nextRelocation,
  NO_ORDERS,
  standingOrders,
  type RelocationLook,
  type RelocationOrders,
  type SeenPartition,
} from "../placement/next-relocation.ts";
import { isHeld, type PartitionPlan, type PartitionWorld } from "../placement/plan-partitions.ts";
import { planRelocation } from "../placement/plan-relocation.ts";
import type { NewRelocation } from "../placement/relocation-option.ts";
import { placeKey } from "../placement/placement-request.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import { listAll } from "./observe-service.ts";
import { readPartition } from "./read-stored.ts";

const KIND = "GPURelocation";
/** One that did not end well is not tried again so soon: it would drain the same instances again. */
const TRY_AGAIN_MS = 600_000;
/** Also one that did: what has room now and none a moment later is no case for moves. */
const REPEAT_MS = 60_000;
/** Who was refused a moment ago may have room in a moment: moves are for those who wait. */
const PATIENCE_MS = 3_000;
/** While the same ask in vain, the fleet is searched no oftener. */
const SEARCH_AGAIN_MS = 15_000;
/** Ended ones that are kept for people to read. */
const ENDED_MAX = 32;

interface Stored {
  readonly resource: Resource;
  /** null = it cannot be read. */
  readonly relocation: GpuRelocation | null;
}
interface Ports {
  readonly store: ClusterStore;
  readonly clock: Clock;
  readonly log: EventLog;
}

/** The journal of moves that make room, and what it orders now. */
export interface RelocationDesk {
  readonly orders: RelocationOrders;
  readonly isActive: boolean;
  /** Every one that is not at work, those that cannot be read too. */
  readonly ended: readonly Stored[];
}

/**
 * Takes the one relocation that is not ended a step on, from what is seen; its status is written before anybody acts on its orders.
 * null = somebody else wrote meanwhile, or the store is away: look again.
 */
export async function advanceRelocation(
  ports: Ports,
  world: PartitionWorld,
  partitions: readonly Resource[],
): Promise<RelocationDesk | null> {
  const stored = (await listAll(ports.store, KIND)).map((resource): Stored => {
    const relocation = parseGpuRelocation(resource);
    return { resource, relocation: relocation.ok ? relocation.value : null };
  });
  const isAtWork = ({ relocation }: Stored): boolean => relocation !== null && !isEnded(relocation);
  const ended = stored.filter((one) => !isAtWork(one));
  const active = stored.find(isAtWork);
  if (active === undefined || active.relocation === null) return { orders: NO_ORDERS, isActive: false, ended };
  const { relocation, resource } = active;
  if (world.seen === null) return { orders: standingOrders(relocation), isActive: true, ended };
  const nowMs = ports.clock.wallMs();
  const startedMs = startOf(relocation, nowMs);
  const move = nextRelocation(relocation, lookAt(relocation, { world, partitions, elapsedMs: nowMs - startedMs }));
  const status = { ...move.status, startedAt: formatWall(startedMs), endedAt: move.isEnded ? formatWall(nowMs) : null };
  if (!isSameJson(relocation.status, status)) {
    const written = await ports.store.writeStatus(resource, status, resource.version);
    const { phase, message } = status;
    ports.log.record({ level: "info", event: "relocation.step", fields: { relocation: relocation.name, phase, message } });
    if (!written.ok) return null;
  }
  return { orders: move.orders, isActive: !move.isEnded, ended };
}

/** By this clock, not the store's; a clock that was set back since begins anew. */
function startOf({ status }: GpuRelocation, nowMs: WallMs): WallMs {
  const startedMs = status === null ? null : parseWall(status.startedAt);
  return startedMs === null || startedMs > nowMs ? nowMs : startedMs;
}

function lookAt(
  relocation: GpuRelocation,
  of: { readonly world: PartitionWorld; readonly partitions: readonly Resource[]; readonly elapsedMs: number },
): RelocationLook {
  const { world, partitions, elapsedMs } = of;
  const movers = new Set<InstanceName>([relocation.wish, ...relocation.victims.map(({ instance }) => instance)]);
  const refusals = partitions.flatMap((resource) => {
    const partition = readPartition(resource);
    if (!partition.ok || partition.value.node === null || !movers.has(partition.value.instance)) return [];
    return refusalOf(resource) ?? [];
  });
  return { seen: seenPartitions(world), elapsedMs, refusal: refusals[0] ?? null, moot: mootBecause(relocation, world) };
}

/** What the driver said last of a partition that has its place: that the GPU cannot be cut so. What it says of a moment passes. */
function refusalOf({ status }: Resource): string | null {
  const refusal = status?.["refusal"];
  if (refusal === undefined || !isJsonObject(refusal) || refusal["code"] !== "GEOMETRY") return null;
  return typeof refusal["why"] === "string" ? refusal["why"] : null;
}

function mootBecause({ places, wish, victims }: GpuRelocation, { wanted, seen, quarantined }: PartitionWorld): string | null {
  const requests = new Map(wanted.map((request) => [request.instance, request]));
  const movers = [wish, ...victims.map(({ instance }) => instance)];
  const gone = movers.find((instance) => !requests.has(instance));
  if (gone !== undefined) return `${gone} is not asked for any more.`;
  const lost = places.find((place) => (seen ?? []).find((one) => placeKey(one) === placeKey(place))?.health !== "ok");
  if (lost !== undefined) return `GPU ${placeKey(lost)} is lost.`;
  const services = new Set(movers.map((instance) => requests.get(instance)?.service));
  const keys = new Set(places.map(placeKey));
  const shunned = quarantined.find((entry) => keys.has(placeKey(entry)) && services.has(entry.service));
  return shunned === undefined ? null : `${shunned.service} keeps away from ${placeKey(shunned)} now.`;
}

/** In a reserve nothing runs until it is needed: it stands where it is promised. */
function seenPartitions(world: PartitionWorld): readonly SeenPartition[] {
  const levels = new Map(world.wanted.map(({ instance, level }) => [instance, level]));
  return world.known.flatMap((partition) => {
    if (partition.node === null || partition.phase !== "Bound") return [];
    const { node, gpu, mig, instance } = partition;
    const isRunning = levels.get(instance) === "cold" || isHeld(partition, world.seen);
    return [{ node, gpu, mig, instance, isRunning }];
  });
}

/** What one allocator remembers of its search for moves: it costs time, and is not repeated at every look. */
export interface RelocationSearch {
  /** By instance: since when it has no place. */
  readonly refusedSinceMs: Map<InstanceName, MonotonicMs>;
  /** Who asked in vain, and until when the same are not searched for again. */
  vain: { readonly asking: string; readonly untilMs: number };
  /** Searches so far: each begins at another node. */
  count: number;
}
export const createRelocationSearch = (): RelocationSearch => ({ refusedSinceMs: new Map(), vain: { asking: "", untilMs: 0 }, count: 0 });

/** Writes down the next relocation, where somebody has no room and moves would make it. Nobody moves before the next look. */
export async function beginRelocation(
  ports: Ports,
  { ended, isActive }: RelocationDesk,
  of: { readonly world: PartitionWorld; readonly plan: PartitionPlan; readonly search: RelocationSearch },
): Promise<boolean> {
  // Of a driver that does not answer nobody knows who runs.
  if (isActive || of.world.seen === null) return false;
  const asking = askingNow(ports, ended, of);
  if (asking.size === 0) return false;
  const begun = searched(ports, asking, of);
  if (begun === null) return false;
  const { store, log } = ports;
  const old = ended.toSorted((one, other) => endOf(other) - endOf(one)).slice(ENDED_MAX - 1);
  for (const { resource } of ended.filter(({ resource }) => resource.name === begun.name).concat(old))
    await store.remove(KIND, resource.name);
  const draft = { kind: KIND, name: begun.name, labels: {}, annotations: {}, spec: gpuRelocationSpec({ ...begun, status: null }) } as const;
  const created = await store.create(draft);
  const victims = begun.victims.map(({ instance }) => instance);
  const fields = { relocation: begun.name, gpus: begun.places.map(placeKey), victims, outcome: created.ok ? "stored" : created.error.code };
  log.record({ level: "info", event: "relocation.begun", fields });
  return created.ok;
}

/** Who has had no place for a while, and was not tried for lately. */
function askingNow(
  { clock }: Ports,
  ended: readonly Stored[],
  { plan, search }: { readonly plan: PartitionPlan; readonly search: RelocationSearch },
): ReadonlySet<InstanceName> {
  const nowMs = clock.monotonicMs();
  const refused = new Set(plan.desired.flatMap(({ partition }) => (partition.node === null ? [partition.instance] : [])));
  for (const { standing, stays } of plan.outgrown) if (stays === "no-room") refused.add(standing.request.instance);
  for (const instance of search.refusedSinceMs.keys()) if (!refused.has(instance)) search.refusedSinceMs.delete(instance);
  for (const instance of refused) if (!search.refusedSinceMs.has(instance)) search.refusedSinceMs.set(instance, nowMs);
  const wallNowMs = clock.wallMs();
  const barred = new Set(ended.filter((one) => isRecent(one, wallNowMs)).map(({ relocation }) => relocation?.wish));
  return new Set(
    [...refused].filter((instance) => !barred.has(instance) && nowMs - (search.refusedSinceMs.get(instance) ?? nowMs) >= PATIENCE_MS),
  );
}

function searched(
  { clock }: Ports,
  asking: ReadonlySet<InstanceName>,
  { world, plan, search }: { readonly world: PartitionWorld; readonly plan: PartitionPlan; readonly search: RelocationSearch },
): NewRelocation | null {
  const names = [...asking].toSorted().join(" ");
  const nowMs = clock.monotonicMs();
  if (search.vain.asking === names && nowMs < search.vain.untilMs) return null;
  search.count += 1;
  const found = planRelocation(world, plan, { asking, turn: search.count });
  search.vain = { asking: names, untilMs: found === null ? nowMs + SEARCH_AGAIN_MS : 0 };
  return found;
}

const endOf = ({ relocation }: Stored): number => parseWall(relocation?.status?.endedAt ?? "") ?? 0;

/** An end in the future is of a clock that was set back since. */
function isRecent(one: Stored, nowMs: WallMs): boolean {
  const sinceMs = nowMs - endOf(one);
  return sinceMs >= 0 && sinceMs < (one.relocation?.status?.phase === "Completed" ? REPEAT_MS : TRY_AGAIN_MS);
}
