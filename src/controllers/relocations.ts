import { wallMs, type InstanceName, type WallMs } from "../base/ids.ts";
import { formatWall, parseWall } from "../base/time.ts";
import { isJsonObject } from "../base/json.ts";
import { isSameJson } from "../base/same-json.ts";
import { isEnded, type GpuRelocation, type RelocationPlace } from "../api/gpu-relocation.ts";
import { gpuRelocationSpec, parseGpuRelocation } from "../api/parse-gpu-relocation.ts";
import type { Resource } from "../api/resource.ts";
import {
  nextRelocation,
  NO_ORDERS,
  type RelocationLook,
  type RelocationOrder,
  type RelocationOrders,
  type SeenPartition,
} from "../placement/next-relocation.ts";
import { isHeld, type PartitionPlan, type PartitionWorld } from "../placement/plan-partitions.ts";
import { planRelocation } from "../placement/plan-relocation.ts";
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
/** Ended ones that are kept for people to read. */
const ENDED_MAX = 32;

interface Stored {
  readonly resource: Resource;
  readonly relocation: GpuRelocation;
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
  const stored = (await listAll(ports.store, KIND)).flatMap((resource) => {
    const relocation = parseGpuRelocation(resource);
    return relocation.ok ? [{ resource, relocation: relocation.value }] : [];
  });
  const ended = stored.filter(({ relocation }) => isEnded(relocation));
  const active = stored.find(({ relocation }) => !isEnded(relocation));
  if (active === undefined) return { orders: NO_ORDERS, isActive: false, ended };
  const { relocation, resource } = active;
  if (world.seen === null) return { orders: standStill(relocation), isActive: true, ended };
  const look = lookAt(relocation, { world, partitions, elapsedMs: ports.clock.wallMs() - resource.createdAt });
  const move = nextRelocation(relocation, look);
  const status = { ...move.status, endedAt: move.isEnded ? formatWall(ports.clock.wallMs()) : null };
  if (!isSameJson(relocation.status, status)) {
    const written = await ports.store.writeStatus(resource, status, resource.version);
    const { phase, message } = status;
    ports.log.record({ level: "info", event: "relocation.step", fields: { relocation: relocation.name, phase, message } });
    if (!written.ok) return null;
  }
  return { orders: move.orders, isActive: !move.isEnded, ended };
}

/** The driver does not answer: nobody moves, and nobody else comes. */
function standStill({ place, wish, victims, status }: GpuRelocation): RelocationOrders {
  const isBack = status?.phase === "RollingBack";
  const order = (to: RelocationPlace | null): RelocationOrder => ({ to, isDue: false, why: "waits for the driver" });
  const moved = victims.map(({ instance, from, to }) => [instance, order(isBack ? from : to)] as const);
  return { closed: { node: place.node, gpu: place.gpu }, of: new Map([...moved, [wish, order(isBack ? null : place)]]) };
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
  return {
    seen: seenPartitions(world),
    elapsedMs: Math.max(0, elapsedMs),
    refusal: refusals[0] ?? null,
    moot: isWanted(relocation.wish, world) ? null : `${relocation.wish} is not asked for any more`,
    hopeless: hopelessness(relocation, world),
  };
}

/** What the driver said last of a partition that has its place. */
function refusalOf({ status }: Resource): string | null {
  const refusal = status?.["refusal"];
  return refusal !== undefined && isJsonObject(refusal) && typeof refusal["why"] === "string" ? refusal["why"] : null;
}

const isWanted = (instance: InstanceName, { wanted }: PartitionWorld): boolean => wanted.some((request) => request.instance === instance);

function hopelessness({ place, victims }: GpuRelocation, world: PartitionWorld): string | null {
  const gone = victims.find(({ instance }) => !isWanted(instance, world));
  if (gone !== undefined) return `${gone.instance} is not asked for any more`;
  const gpu = (world.seen ?? []).find((seen) => placeKey(seen) === placeKey(place));
  return gpu?.health === "ok" ? null : `GPU ${placeKey(place)} is lost`;
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

/** Plans for which nobody could be helped, with how many were barred then: the same plan is not searched at every look. */
const inVain = new WeakMap<PartitionPlan, number>();

/** Writes down the next relocation, where somebody has no room and moves would make it. Nobody moves before the next look. */
export async function beginRelocation(
  ports: Ports,
  { ended, isActive }: RelocationDesk,
  of: { readonly world: PartitionWorld; readonly plan: PartitionPlan },
): Promise<boolean> {
  // Of a driver that does not answer nobody knows who runs.
  if (isActive || of.world.seen === null) return false;
  const nowMs = ports.clock.wallMs();
  const barred = new Set(ended.filter((one) => nowMs - endOf(one) < restOf(one)).map(({ relocation }) => relocation.wish));
  const begun = inVain.get(of.plan) === barred.size ? null : planRelocation(of.world, of.plan, (instance) => barred.has(instance));
  if (begun === null) {
    inVain.set(of.plan, barred.size);
    return false;
  }
  const { store, log } = ports;
  const old = ended.toSorted((one, other) => endOf(other) - endOf(one)).slice(ENDED_MAX - 1);
  for (const { resource } of ended.filter(({ relocation }) => relocation.name === begun.name).concat(old))
    await store.remove(KIND, resource.name);
  const draft = { kind: KIND, name: begun.name, labels: {}, annotations: {}, spec: gpuRelocationSpec({ ...begun, status: null }) } as const;
  const created = await store.create(draft);
  const victims = begun.victims.map(({ instance }) => instance);
  const fields = { relocation: begun.name, gpu: placeKey(begun.place), victims, outcome: created.ok ? "stored" : created.error.code };
  log.record({ level: "info", event: "relocation.begun", fields });
  return created.ok;
}

const endOf = ({ relocation }: Stored): WallMs => wallMs(parseWall(relocation.status?.endedAt ?? "") ?? 0);
const restOf = ({ relocation }: Stored): number => (relocation.status?.phase === "Completed" ? REPEAT_MS : TRY_AGAIN_MS);
