import type { GpuRelocation, RelocationPlace, RelocationVictim } from "../api/gpu-relocation.ts";
import { migGpuOf, type MigProfile } from "../api/mig-geometry.ts";
import { err } from "../base/result.ts";
import type { InstanceName } from "../base/ids.ts";
import { smallestProfile } from "./choose-mig-share.ts";
import { chooseGpus } from "./choose-gpus.ts";
import { createFleetRoom, type FleetRoom, type GpuRoom } from "./fleet-room.ts";
import { candidateOf, memberOf, offerAt } from "./gpu-offer.ts";
import { mayUse } from "./node-offer.ts";
import { DEFAULT_PLANNING_LOSS_PERCENT } from "./partition-modes.ts";
import { partitionRequirements } from "./partition-requirements.ts";
import { byPromise, slicesOf, TIER_ORDER } from "./place-instances.ts";
import { placeKey, type HeldSlice, type InstanceRequest, type PlacedMember } from "./placement-request.ts";
import { isHeld, sliceOf, strangers, type PartitionPlan, type PartitionWorld } from "./plan-partitions.ts";
import { planRepartition } from "./plan-repartition.ts";
import type { MigTenancy, MigUse, RepartitionPlan } from "./repartition.ts";

export type NewRelocation = Omit<GpuRelocation, "status">;

/** Bounds, not forecasts: a drain waits 10 s for gateways and 30 s for streams; an engine of any size that we know is loaded in this time. */
const DRAIN_BUDGET_MS = 45_000;
const RESTART_BUDGET_MS = 180_000;
const PLACE_BUDGET_MS = 5_000;
/** The search keeps everything else waiting, so it is bounded: so many of those who ask, and so many GPUs that may have a victim. */
const WISHES_MAX = 4;
const TRIED_MAX = 24;

/** Somebody who is placed, and what moving him would mean. */
interface Tenant {
  readonly request: InstanceRequest;
  readonly member: PlacedMember;
  readonly isRunning: boolean;
}
interface Fleet {
  readonly room: FleetRoom;
  readonly byGpu: ReadonlyMap<string, readonly Tenant[]>;
  /** Of each service: hot and warm instances that run. */
  readonly running: ReadonlyMap<string, readonly InstanceRequest[]>;
}
interface Option {
  readonly relocation: NewRelocation;
  /** Compared from the left: hot, warm and cold victims, then those that leave their GPU, then milliseconds. */
  readonly cost: readonly number[];
}

/** Who may be helped, and a number that differs from search to search: large fleets are searched in parts, each time from another node on. */
interface Search {
  readonly asking: ReadonlySet<InstanceName>;
  readonly turn: number;
}

/**
 * Moves that give a place to the first who was refused one and can have it: on a GPU that MIG cuts by cutting it anew, on any other by moving
 * one cold reserve or warm instance to another GPU. Nobody who comes before who asks by tier or priority, nobody hot for who is not, nobody
 * who is all that his service has. null = nobody can be helped so.
 */
export function planRelocation(world: PartitionWorld, plan: PartitionPlan, search: Search | null = null): NewRelocation | null {
  const refused = new Set(
    plan.desired.flatMap(({ partition }) => (partition.node === null && HELPED.has(partition.refusal.code) ? [partition.instance] : [])),
  );
  const asking = world.wanted.filter(
    ({ instance, memberBytes }) => refused.has(instance) && memberBytes.length === 1 && search?.asking.has(instance) !== false,
  );
  if (asking.length === 0) return null;
  const fleet = fleetAfter(world, plan);
  for (const wish of asking.toSorted(byPromise).slice(0, WISHES_MAX)) {
    const best = bestOption(wish, fleet, search?.turn ?? 0);
    if (best !== null) return best.relocation;
  }
  return null;
}

/** Refusals of room: others no move can help. */
const HELPED: ReadonlySet<string> = new Set(["NO_CAPACITY", "NO_EXCLUSIVE_GPU", "GEOMETRY", "ISOLATION_UNAVAILABLE"]);

function fleetAfter(world: PartitionWorld, plan: PartitionPlan): Fleet {
  const requests = new Map(world.wanted.map((request) => [request.instance, request]));
  const placed = plan.desired.flatMap(({ partition }) => (partition.node === null ? [] : [partition]));
  const known = placed.flatMap((partition) => {
    const request = requests.get(partition.instance);
    const { node, gpu, mode, mig, memoryBytes, computePercent } = partition;
    const member = { node, gpu, mode, mig, memoryBytes, computePercent };
    return request === undefined ? [] : [{ request, member, isRunning: isHeld(partition, world.seen) }];
  });
  const held: readonly HeldSlice[] = [
    ...known.flatMap(({ request, member }) => slicesOf(request, [member])),
    ...plan.releasing.map(sliceOf),
    ...world.known.flatMap((partition) => (partition.node !== null && world.untouched.has(partition.service) ? [sliceOf(partition)] : [])),
  ];
  const seen = world.seen ?? [];
  const lost = seen.filter(({ health }) => health === "lost");
  const room = createFleetRoom({ nodes: world.nodes, held: [...held, ...strangers(seen, held)], lost, quarantined: world.quarantined });
  const serving = known.filter(({ request, isRunning }) => isRunning && request.level !== "cold").map(({ request }) => request);
  const running = Map.groupBy(serving, ({ service }) => service);
  return { room, byGpu: Map.groupBy(known, ({ member }) => placeKey(member)), running };
}

/** The cheapest of those that are tried; one that moves a single reserve is not beaten. */
function bestOption(wish: InstanceRequest, fleet: Fleet, turn: number): Option | null {
  const { room } = fleet;
  let best: Option | null = null;
  let tried = 0;
  const nodes = room.matching(wish).filter((node) => room.freeHostBytes(node) >= wish.hostBytes);
  // A prime step, so that a few searches see all parts of the fleet.
  const first = nodes.length === 0 ? 0 : (turn * 7_919) % nodes.length;
  for (const node of [...nodes.slice(first), ...nodes.slice(0, first)]) {
    for (const gpu of room.gpusOf(node.name)) {
      const tenants = fleet.byGpu.get(placeKey(gpu)) ?? [];
      // Somebody who is nobody's tenant (of the past, or of a config that cannot be read) moves for no one.
      const isBarred = room.isQuarantined(gpu, wish.service) || gpu.services.has(wish.service) || tenants.length !== gpu.holderCount;
      if (isBarred || !tenants.some((tenant) => !isPinned(wish, tenant, fleet))) continue;
      tried += 1;
      const option = gpu.cut?.mode === "mig" ? byCutting(wish, { gpu, tenants, fleet }) : byMoving(wish, { gpu, tenants, fleet });
      if (option !== null && (best === null || byCost(option, best) < 0)) best = option;
      if (tried >= TRIED_MAX || (best !== null && isOneReserve(best))) return best;
    }
  }
  return best;
}

const isOneReserve = ({ relocation }: Option): boolean => relocation.victims.length === 1 && relocation.victims[0]?.level === "cold";

interface At {
  readonly gpu: GpuRoom;
  readonly tenants: readonly Tenant[];
  readonly fleet: Fleet;
}

function byCutting(wish: InstanceRequest, { gpu, tenants, fleet }: At): Option | null {
  const card = migGpuOf(gpu.model);
  const needs = partitionRequirements(wish);
  const question = { needs, gpu: candidateOf(gpu), lossPercent: DEFAULT_PLANNING_LOSS_PERCENT.mig };
  const isOffered = card !== null && !wish.isExclusive && gpu.modes.includes("mig");
  const profile = isOffered ? smallestProfile(card, question) : err(null);
  if (!profile.ok) return null;
  const movable = tenants.filter((tenant) => !isPinned(wish, tenant, fleet));
  const within = cutWith(new Map(), wish, { gpu, tenants, fleet, profile: profile.value });
  // To look for places on other GPUs costs most: only where the GPU alone does not do.
  return within ?? cutWith(placesElsewhere(gpu, movable, fleet), wish, { gpu, tenants, fleet, profile: profile.value });
}

function cutWith(
  elsewhere: ReadonlyMap<InstanceName, RelocationPlace>,
  wish: InstanceRequest,
  { gpu, tenants, fleet, profile }: At & { readonly profile: MigProfile },
): Option | null {
  const current = tenants.flatMap(({ request, member, isRunning }): readonly MigUse[] => {
    if (member.mig === null) return [];
    const tenancy: MigTenancy = {
      instance: request.instance,
      level: request.level,
      isPinned: isPinned(wish, { request, member, isRunning }, fleet),
      mayLeave: elsewhere.has(request.instance),
      drainMs: isRunning ? DRAIN_BUDGET_MS : 0,
      restartMs: request.level === "cold" ? 0 : RESTART_BUDGET_MS,
    };
    return [{ placement: member.mig, tenancy }];
  });
  const planned = planRepartition(current, [{ instance: wish.instance, profile }]);
  return planned.ok ? cutOption(wish, { gpu, plan: planned.value, elsewhere }) : null;
}

function cutOption(
  wish: InstanceRequest,
  of: { readonly gpu: GpuRoom; readonly plan: RepartitionPlan; readonly elsewhere: ReadonlyMap<InstanceName, RelocationPlace> },
): Option | null {
  const { plan, elsewhere } = of;
  const here = { node: of.gpu.node, gpu: of.gpu.gpu };
  const granted = plan.granted.find(({ instance }) => instance === wish.instance);
  const victims = plan.victims.flatMap(({ instance, level, from, to }): readonly RelocationVictim[] => {
    const goal = to === null ? elsewhere.get(instance) : { ...here, mig: to };
    return goal === undefined ? [] : [{ instance, level, from: { ...here, mig: from }, to: goal }];
  });
  if (granted === undefined || victims.length !== plan.victims.length || victims.length === 0) return null;
  const { from, to, steps, budgetMs, rollbackBudgetMs, cost } = plan;
  const cut = { from, to, steps, budgetMs, rollbackBudgetMs };
  // What takes no time by the plan takes looks all the same: each place is written, bound and seen.
  const looksMs = (victims.length + 1) * PLACE_BUDGET_MS;
  const place = { ...here, mig: granted.placement };
  return {
    relocation: {
      name: wish.instance,
      wish: wish.instance,
      place,
      victims,
      cut,
      budgetMs: budgetMs + looksMs,
      rollbackBudgetMs: rollbackBudgetMs + looksMs,
    },
    cost: [cost.hotVictims, cost.warmVictims, cost.coldVictims, cost.leavingCount, cost.disturbedMs, cost.changeCount],
  };
}

/** Another GPU for each who may go there, all at once. */
function placesElsewhere(gpu: GpuRoom, tenants: readonly Tenant[], { room }: Fleet): ReadonlyMap<InstanceName, RelocationPlace> {
  const places = new Map<InstanceName, RelocationPlace>();
  const undo: (() => void)[] = [];
  room.close([gpu]);
  for (const { request, member } of tenants) {
    room.release(request.instance, [member]);
    const choice = request.memberBytes.length === 1 ? chooseGpus(request, room) : err(null);
    const [to] = choice.ok ? choice.value : [];
    if (to !== undefined) {
      places.set(request.instance, placeOf(to));
      room.hold(slicesOf(request, [to]));
      undo.push(() => room.release(request.instance, [to]));
    }
    undo.push(() => room.hold(slicesOf(request, [member])));
  }
  for (const back of undo) back();
  room.close([]);
  return places;
}

/** One victim, and nobody who is hot: a reserve in which nothing runs before a warm instance, the smallest first. */
function byMoving(wish: InstanceRequest, { gpu, tenants, fleet }: At): Option | null {
  const { room } = fleet;
  const options = tenants.flatMap((tenant): readonly Option[] => {
    const { request, member, isRunning } = tenant;
    if (request.level === "hot" || isPinned(wish, tenant, fleet)) return [];
    room.release(request.instance, [member]);
    const without = room.gpusOf(gpu.node).find((one) => one.gpu === gpu.gpu);
    const offer = without !== undefined && mayUse(wish, without, room) ? offerAt(wish, without) : null;
    const place = offer === null ? null : memberOf(offer, wish.memberBytes[0] ?? 0);
    const to = place === null ? null : goalOf(tenant, wish, { place, gpu, room });
    room.hold(slicesOf(request, [member]));
    if (place === null || to === null) return [];
    const victim = { instance: request.instance, level: request.level, from: placeOf(member), to };
    const disturbedMs = (isRunning ? DRAIN_BUDGET_MS : 0) + (request.level === "cold" ? 0 : RESTART_BUDGET_MS);
    const budgetMs = disturbedMs + PLACE_BUDGET_MS;
    const relocation = { name: wish.instance, wish: wish.instance, place: placeOf(place), victims: [victim], cut: null };
    const cost = [0, request.level === "warm" ? 1 : 0, request.level === "cold" ? 1 : 0, 1, disturbedMs, member.memoryBytes];
    return [{ relocation: { ...relocation, budgetMs, rollbackBudgetMs: budgetMs }, cost }];
  });
  return options.toSorted(byCost)[0] ?? null;
}

/** Where the victim goes once the wish has its place; the room is as before when this returns. */
function goalOf(
  { request }: Tenant,
  wish: InstanceRequest,
  { place, gpu, room }: { readonly place: PlacedMember; readonly gpu: GpuRoom; readonly room: FleetRoom },
): RelocationPlace | null {
  room.hold(slicesOf(wish, [place]));
  room.close([gpu]);
  const choice = chooseGpus(request, room);
  room.close([]);
  room.release(wish.instance, [place]);
  const [to] = choice.ok ? choice.value : [];
  return to === undefined ? null : placeOf(to);
}

/** Who is not to be touched for this wish. A reserve that serves is somebody's last rung, and what should run and does not has trouble enough. */
function isPinned(wish: InstanceRequest, { request, isRunning }: Tenant, { running }: Fleet): boolean {
  const comesFirst = TIER_ORDER[request.tier] < TIER_ORDER[wish.tier] || (request.tier === wish.tier && request.priority > wish.priority);
  if (comesFirst || request.memberBytes.length > 1 || request.service === wish.service) return true;
  if (request.level === "cold") return isRunning;
  if (!isRunning || (request.level === "hot" && wish.level !== "hot")) return true;
  const others = (running.get(request.service) ?? []).filter(({ instance }) => instance !== request.instance);
  return !others.some(({ level }) => level === "hot" || request.level === "warm");
}

const placeOf = ({ node, gpu, mig }: PlacedMember): RelocationPlace => ({ node, gpu, mig });

function byCost(left: Option, right: Option): number {
  for (const [index, value] of left.cost.entries()) {
    const difference = value - (right.cost[index] ?? 0);
    if (difference !== 0) return difference;
  }
  const [one, other] = [placeKey(left.relocation.place), placeKey(right.relocation.place)];
  return one < other ? -1 : one > other ? 1 : 0;
}
