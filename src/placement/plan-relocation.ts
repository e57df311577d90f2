import type { GpuNode } from "../api/gpu-node.ts";
import type { RelocationPlace, RelocationVictim } from "../api/gpu-relocation.ts";
import { migGpuOf, type MigProfile } from "../api/mig-geometry.ts";
import { err } from "../base/result.ts";
import type { InstanceName } from "../base/ids.ts";
import { smallestProfile } from "./choose-mig-share.ts";
import { clearGpus } from "./clear-gpus.ts";
import { chooseGpus } from "./choose-gpus.ts";
import { createFleetRoom, type FleetRoom, type GpuRoom } from "./fleet-room.ts";
import { tenantsMixed } from "./choose-partition.ts";
import { candidateOf, memberOf, offerAt } from "./gpu-offer.ts";
import { mayUse } from "./node-offer.ts";
import { DEFAULT_PLANNING_LOSS_PERCENT } from "./partition-modes.ts";
import { partitionRequirements } from "./partition-requirements.ts";
import { holdTarget } from "./move-outgrown.ts";
import { byPromise, slicesOf } from "./place-instances.ts";
import { isOverCap, placeKey, type HeldSlice, type InstanceRequest, type PlacedMember } from "./placement-request.ts";
import { isHeld, sliceOf, strangers, type PartitionPlan, type PartitionWorld } from "./plan-partitions.ts";
import { planRepartition } from "./plan-repartition.ts";
import {
  byCost,
  DRAIN_BUDGET_MS,
  isPinned,
  leavingMs,
  movingOption,
  PLACE_BUDGET_MS,
  placeOf,
  RESTART_BUDGET_MS,
  type NewRelocation,
  type RelocationFleet,
  type RelocationOption,
  type RelocationWish,
  type Tenant,
} from "./relocation-option.ts";
import type { MigTenancy, MigUse, RepartitionPlan } from "./repartition.ts";

/** The search keeps everything else waiting, so it is bounded: so many of those who ask, and so many GPUs that may have a victim. */
const WISHES_MAX = 4;
const TRIED_MAX = 24;

/** Who may be helped, and a number that differs from search to search: large fleets are searched in parts, each time from another node on. */
interface Search {
  readonly asking: ReadonlySet<InstanceName>;
  readonly turn: number;
}

/**
 * Moves that give a place to the first who was refused one, or has outgrown his, and can have it: whole GPUs by moving whoever is on them; a
 * share of a GPU that MIG cuts by cutting it anew, of any other by moving one cold reserve or warm instance to another GPU. Nobody who comes
 * before who asks by tier or priority, nobody hot for who is not, nobody who is all that his service has. null = nobody can be helped so.
 */
export function planRelocation(world: PartitionWorld, plan: PartitionPlan, search: Search | null = null): NewRelocation | null {
  const from = new Map<InstanceName, readonly RelocationPlace[]>(
    plan.outgrown.flatMap(({ standing: { request, members }, stays }) =>
      stays === "no-room" && !isOverCap(request) ? [[request.instance, members.map(placeOf)] as const] : [],
    ),
  );
  for (const { partition } of plan.desired)
    if (partition.node === null && HELPED.has(partition.refusal.code)) from.set(partition.instance, []);
  const asking = world.wanted.flatMap((request): readonly RelocationWish[] => {
    const own = from.get(request.instance);
    return own === undefined || search?.asking.has(request.instance) === false ? [] : [{ request, from: own }];
  });
  if (asking.length === 0) return null;
  const fleet = fleetAfter(world, plan);
  for (const wish of asking.toSorted((one, other) => byPromise(one.request, other.request)).slice(0, WISHES_MAX)) {
    const best = bestOption(wish, fleet, search?.turn ?? 0);
    if (best !== null) return best.relocation;
  }
  return null;
}

/** Refusals of room: others no move can help. */
const HELPED: ReadonlySet<string> = new Set(["NO_CAPACITY", "NO_EXCLUSIVE_GPU", "GEOMETRY", "ISOLATION_UNAVAILABLE", "TENANTS_MIXED"]);

function fleetAfter(world: PartitionWorld, plan: PartitionPlan): RelocationFleet {
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
  const lost = seen.filter(({ health }) => health !== "ok");
  const room = createFleetRoom({
    nodes: world.nodes,
    held: [...held, ...strangers(seen, held)],
    lost,
    quarantined: world.quarantined,
    wanted: world.wanted,
  });
  for (const { standing, to } of plan.outgrown) if (to !== null) holdTarget({ standing, to }, room);
  const serving = known.filter(({ request, isRunning }) => isRunning && request.level !== "cold").map(({ request }) => request);
  const running = Map.groupBy(serving, ({ service }) => service);
  return { room, byGpu: Map.groupBy(known, ({ member }) => placeKey(member)), running };
}

/** The cheapest of those that are tried; one that moves a single reserve is not beaten. */
function bestOption(wish: RelocationWish, fleet: RelocationFleet, turn: number): RelocationOption | null {
  const { room } = fleet;
  const { request } = wish;
  let best: RelocationOption | null = null;
  let tried = 0;
  const nodes = room.matching(request).filter((node) => room.freeHostBytes(node) >= request.hostBytes);
  // A prime step, so that a few searches see all parts of the fleet.
  const first = nodes.length === 0 ? 0 : (turn * 7_919) % nodes.length;
  for (const node of [...nodes.slice(first), ...nodes.slice(0, first)]) {
    for (const option of request.isExclusive ? [clearGpus(wish, node, fleet)] : sharesOn(wish, node, fleet)) {
      tried += request.isExclusive ? node.gpus.length : 1;
      if (option !== null && (best === null || byCost(option, best) < 0)) best = option;
      if (tried >= TRIED_MAX || (best !== null && isOneReserve(best))) return best;
    }
  }
  return best;
}

const isOneReserve = ({ relocation }: RelocationOption): boolean =>
  relocation.victims.length === 1 && relocation.victims[0]?.level === "cold";

/** One GPU of the node after the other, as long as somebody asks for more. */
function* sharesOn(wish: RelocationWish, node: GpuNode, fleet: RelocationFleet): Generator<RelocationOption | null> {
  const { room } = fleet;
  const { request } = wish;
  if (request.memberBytes.length > 1) return;
  for (const gpu of room.gpusOf(node.name)) {
    const tenants = fleet.byGpu.get(placeKey(gpu)) ?? [];
    // Somebody who is nobody's tenant (of the past, or of a config that cannot be read) moves for no one.
    const isBarred =
      room.isQuarantined(gpu, request.service) ||
      room.isClosed(gpu) ||
      gpu.services.has(request.service) ||
      tenants.length !== gpu.holderCount;
    if (isBarred || !tenants.some((tenant) => !isPinned(request, tenant, fleet))) continue;
    yield gpu.cut?.mode === "mig" ? byCutting(wish, { gpu, tenants, fleet }) : byMoving(wish, { gpu, tenants, fleet });
  }
}

interface At {
  readonly gpu: GpuRoom;
  readonly tenants: readonly Tenant[];
  readonly fleet: RelocationFleet;
}

function byCutting(wish: RelocationWish, { gpu, tenants, fleet }: At): RelocationOption | null {
  const { request } = wish;
  const card = migGpuOf(gpu.model);
  const needs = partitionRequirements(request);
  const question = { needs, gpu: candidateOf(gpu), lossPercent: DEFAULT_PLANNING_LOSS_PERCENT.mig };
  const isOffered = card !== null && gpu.modes.includes("mig") && tenantsMixed(needs, question.gpu) === null;
  const profile = isOffered ? smallestProfile(card, question) : err(null);
  if (!profile.ok) return null;
  const movable = tenants.filter((tenant) => !isPinned(request, tenant, fleet));
  const within = cutWith(new Map(), wish, { gpu, tenants, fleet, profile: profile.value });
  // To look for places on other GPUs costs most: only where the GPU alone does not do.
  return within ?? cutWith(placesElsewhere(gpu, movable, fleet), wish, { gpu, tenants, fleet, profile: profile.value });
}

function cutWith(
  elsewhere: ReadonlyMap<InstanceName, RelocationPlace>,
  wish: RelocationWish,
  { gpu, tenants, fleet, profile }: At & { readonly profile: MigProfile },
): RelocationOption | null {
  const current = tenants.flatMap(({ request, member, isRunning }): readonly MigUse[] => {
    if (member.mig === null) return [];
    const tenancy: MigTenancy = {
      instance: request.instance,
      level: request.level,
      isPinned: isPinned(wish.request, { request, member, isRunning }, fleet),
      mayLeave: elsewhere.has(request.instance),
      drainMs: isRunning ? DRAIN_BUDGET_MS : 0,
      restartMs: request.level === "cold" ? 0 : RESTART_BUDGET_MS,
    };
    return [{ placement: member.mig, tenancy }];
  });
  const planned = planRepartition(current, [{ instance: wish.request.instance, profile }]);
  return planned.ok ? cutOption(wish, { gpu, plan: planned.value, elsewhere }) : null;
}

function cutOption(
  wish: RelocationWish,
  of: { readonly gpu: GpuRoom; readonly plan: RepartitionPlan; readonly elsewhere: ReadonlyMap<InstanceName, RelocationPlace> },
): RelocationOption | null {
  const { plan, elsewhere } = of;
  const { instance: name } = wish.request;
  const here = { node: of.gpu.node, gpu: of.gpu.gpu };
  const granted = plan.granted.find(({ instance }) => instance === name);
  const victims = plan.victims.flatMap(({ instance, level, from, to }): readonly RelocationVictim[] => {
    const goal = to === null ? elsewhere.get(instance) : { ...here, mig: to };
    return goal === undefined ? [] : [{ instance, level, from: { ...here, mig: from }, to: goal }];
  });
  if (granted === undefined || victims.length !== plan.victims.length || victims.length === 0) return null;
  const { from, to, steps, budgetMs, cost } = plan;
  const cut = { from, to, steps, budgetMs };
  // What takes no time by the plan takes looks all the same: each place is written, bound and seen.
  const looksMs = (victims.length + 1) * PLACE_BUDGET_MS;
  return {
    relocation: {
      name,
      wish: name,
      places: [{ ...here, mig: granted.placement }],
      wishFrom: wish.from,
      victims,
      cut,
      budgetMs: budgetMs + looksMs + leavingMs(wish),
      rollbackBudgetMs: cost.disturbedMs + looksMs,
    },
    cost: [cost.hotVictims, cost.warmVictims, cost.coldVictims, cost.leavingCount, cost.disturbedMs, cost.changeCount],
  };
}

/** Another GPU for each who may go there, all at once. */
function placesElsewhere(gpu: GpuRoom, tenants: readonly Tenant[], { room }: RelocationFleet): ReadonlyMap<InstanceName, RelocationPlace> {
  const places = new Map<InstanceName, RelocationPlace>();
  const undo: (() => void)[] = [];
  const { closed } = room;
  room.close([...closed, gpu]);
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
  room.close(closed);
  return places;
}

/** One victim, and nobody who is hot: a reserve in which nothing runs before a warm instance, the smallest first. */
function byMoving(wish: RelocationWish, { gpu, tenants, fleet }: At): RelocationOption | null {
  const { room } = fleet;
  const options = tenants.flatMap((tenant): readonly RelocationOption[] => {
    const { request, member } = tenant;
    if (request.level === "hot" || isPinned(wish.request, tenant, fleet)) return [];
    room.release(request.instance, [member]);
    const without = room.gpusOf(gpu.node).find((one) => one.gpu === gpu.gpu);
    const offer = without !== undefined && mayUse(wish.request, without, room) ? offerAt(wish.request, without) : null;
    const place = offer === null ? null : memberOf(offer, wish.request.memberBytes[0] ?? 0);
    const to = place === null ? null : goalOf(tenant, wish.request, { place, gpu, room });
    room.hold(slicesOf(request, [member]));
    return place === null || to === null ? [] : [movingOption(wish, [place], [{ tenant, to }])];
  });
  return options.toSorted(byCost)[0] ?? null;
}

/** Where the victim goes once the wish has its place; the room is as before when this returns. */
function goalOf(
  { request }: Tenant,
  wish: InstanceRequest,
  { place, gpu, room }: { readonly place: PlacedMember; readonly gpu: GpuRoom; readonly room: FleetRoom },
): PlacedMember | null {
  const { closed } = room;
  room.hold(slicesOf(wish, [place]));
  room.close([...closed, gpu]);
  const choice = chooseGpus(request, room);
  room.close(closed);
  room.release(wish.instance, [place]);
  const [to] = choice.ok ? choice.value : [];
  return to ?? null;
}
