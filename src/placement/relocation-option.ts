import type { GpuRelocation, RelocationPlace, RelocationVictim } from "../api/gpu-relocation.ts";
import type { FleetRoom } from "./fleet-room.ts";
import { TIER_ORDER } from "./place-instances.ts";
import { placeKey, type InstanceRequest, type PlacedMember } from "./placement-request.ts";

export type NewRelocation = Omit<GpuRelocation, "status">;

/** Bounds, not forecasts: a drain waits 10 s for gateways and 30 s for streams; an engine of any size that we know is loaded in this time. */
export const DRAIN_BUDGET_MS = 45_000;
export const RESTART_BUDGET_MS = 180_000;
export const PLACE_BUDGET_MS = 5_000;

/** Somebody who is placed, and what moving him would mean. */
export interface Tenant {
  readonly request: InstanceRequest;
  readonly member: PlacedMember;
  readonly isRunning: boolean;
}
export interface RelocationFleet {
  readonly room: FleetRoom;
  readonly byGpu: ReadonlyMap<string, readonly Tenant[]>;
  /** Of each service: hot and warm instances that run. */
  readonly running: ReadonlyMap<string, readonly InstanceRequest[]>;
}
export interface RelocationOption {
  readonly relocation: NewRelocation;
  /** Compared from the left: hot, warm and cold victims, then those that leave their GPU, then milliseconds. */
  readonly cost: readonly number[];
}
/** Who asks, and where it runs on too little until then. */
export interface RelocationWish {
  readonly request: InstanceRequest;
  readonly from: readonly RelocationPlace[];
}

/** Who is not to be touched for this wish. A reserve that serves is somebody's last rung, and what should run and does not has trouble enough. */
export function isPinned(wish: InstanceRequest, { request, isRunning }: Tenant, { running }: Pick<RelocationFleet, "running">): boolean {
  const comesFirst = TIER_ORDER[request.tier] < TIER_ORDER[wish.tier] || (request.tier === wish.tier && request.priority > wish.priority);
  if (comesFirst || request.memberBytes.length > 1 || request.service === wish.service) return true;
  if (request.level === "cold") return isRunning;
  if (!isRunning || (request.level === "hot" && wish.level !== "hot")) return true;
  const others = (running.get(request.service) ?? []).filter(({ instance }) => instance !== request.instance);
  return !others.some(({ level }) => level === "hot" || request.level === "warm");
}

/** Of all that is moved; each of its places is written, bound and seen besides. */
export const disturbedMsOf = ({ request, isRunning }: Tenant): number =>
  (isRunning ? DRAIN_BUDGET_MS : 0) + (request.level === "cold" ? 0 : RESTART_BUDGET_MS);

export const placeOf = ({ node, gpu, mig }: PlacedMember): RelocationPlace => ({ node, gpu, mig });

/** Victims go to other GPUs, and none is cut anew. */
export function movingOption(
  { request, from }: RelocationWish,
  places: readonly PlacedMember[],
  moves: readonly { readonly tenant: Tenant; readonly to: PlacedMember }[],
): RelocationOption {
  const victims = moves.map(({ tenant: { request: victim, member }, to }): RelocationVictim => ({
    instance: victim.instance,
    level: victim.level,
    from: placeOf(member),
    to: placeOf(to),
  }));
  const disturbedMs = sum(moves.map(({ tenant }) => disturbedMsOf(tenant)));
  const budgetMs = disturbedMs + moves.length * PLACE_BUDGET_MS;
  const count = (level: InstanceRequest["level"]): number => victims.filter((victim) => victim.level === level).length;
  const bytes = sum(moves.map(({ tenant }) => tenant.member.memoryBytes));
  return {
    relocation: {
      name: request.instance,
      wish: request.instance,
      places: places.map(placeOf),
      wishFrom: from,
      victims,
      cut: null,
      budgetMs: budgetMs + leavingMs({ request, from }),
      rollbackBudgetMs: budgetMs,
    },
    cost: [count("hot"), count("warm"), count("cold"), victims.length, disturbedMs, bytes],
  };
}

/** What a wish that runs elsewhere needs to go from there. */
export const leavingMs = ({ from }: RelocationWish): number => (from.length === 0 ? 0 : DRAIN_BUDGET_MS + PLACE_BUDGET_MS);

export function byCost(left: RelocationOption, right: RelocationOption): number {
  for (const [index, value] of left.cost.entries()) {
    const difference = value - (right.cost[index] ?? 0);
    if (difference !== 0) return difference;
  }
  const [one, other] = [left, right].map(({ relocation }) => relocation.places.map(placeKey).join(" "));
  return one === undefined || other === undefined || one === other ? 0 : one < other ? -1 : 1;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
