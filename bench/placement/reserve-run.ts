import { createFleetIndex, releaseShape, type FleetIndex } from "../../src/placement/fleet-index.ts";
import { placeApart, type PlacedMember } from "../../src/placement/place-apart.ts";
import type { FleetPlacer } from "../../src/placement/place-on-fleet.ts";
import { WorkloadMix } from "../../src/placement/workload-mix.ts";
import { seeded } from "../failover/seeded.ts";
import { milliOf } from "./arrivals.ts";
import { comeAndLeave, type Life } from "./come-and-leave.ts";
import { createPlacer, type PolicyName } from "./policies.ts";
import { PODS_PER_NODE_MAX } from "./replay-log.ts";
import { SERVICES, zonedNodes, type Service } from "./service-mix.ts";

const NODE_COUNT = 64;
const REFUSED_RATIO = 0.1;
/** The first refusal alone is no tenth of anything yet. */
const ASKED_MIN = 100;
const LIFETIME_MEAN_SECONDS = 600;
const LIFETIME_MAX_SECONDS = 6 * LIFETIME_MEAN_SECONDS;
const LIFETIME_SEED = 7;
const LIVES_EACH = 50;

export interface ReserveRun {
  readonly policy: PolicyName;
  readonly seed: number;
}

export interface ReserveFill {
  /** Of all GPU milli, in percent, when the first service was refused, and when a tenth of them had been. */
  readonly firstRefusal: number;
  readonly tenthRefusal: number;
  /** With all that they were promised, for each hundred GPUs, at the same two moments. */
  readonly servicesAtFirst: number;
  readonly servicesAtTenth: number;
  /** Services that the loss of one node takes more than one level of. */
  readonly fragile: number;
}

interface Site {
  readonly fleet: FleetIndex;
  readonly capacityMilli: number;
  readonly place: (service: Service) => readonly PlacedMember[] | null;
}

/** FGD is told all members of all services. */
function openSite({ policy, seed }: ReserveRun): Site {
  const nodes = zonedNodes(NODE_COUNT);
  const fleet = createFleetIndex(nodes, { boundMax: PODS_PER_NODE_MAX });
  const mix = new WorkloadMix();
  for (const { shape } of SERVICES.flat()) mix.add(shape);
  const placer: FleetPlacer = createPlacer(policy, { fleet, shares: mix.shares(1), seed });
  const zones = new Map(nodes.map(({ name, zone }) => [name, zone]));
  const zoneOf = fleet.names.map((name) => zones.get(name) ?? "");
  return {
    fleet,
    capacityMilli: fleet.freeMilliOf.reduce((sum, milli) => sum + milli, 0),
    place: (members) => placeApart(fleet, placer, { members, zoneOf }),
  };
}

const weightOf = (service: Service): number => service.reduce((sum, { shape }) => sum + milliOf(shape), 0);

/** Services come until a tenth of them has been refused, and stay. */
export function fillWithServices(run: ReserveRun): ReserveFill {
  const { capacityMilli, place } = openSite(run);
  const random = seeded(run.seed);
  const placed: (readonly PlacedMember[])[] = [];
  let asked = 0;
  let usedMilli = 0;
  let first: { readonly usedMilli: number; readonly services: number } | null = null;
  while (asked < ASKED_MIN || asked - placed.length < REFUSED_RATIO * asked) {
    const service = SERVICES[Math.floor(random() * SERVICES.length)] ?? [];
    asked++;
    const members = place(service);
    if (members === null) first ??= { usedMilli, services: placed.length };
    else {
      placed.push(members);
      usedMilli += weightOf(service);
    }
  }
  return {
    firstRefusal: (100 * (first?.usedMilli ?? Number.NaN)) / capacityMilli,
    tenthRefusal: (100 * usedMilli) / capacityMilli,
    servicesAtFirst: (100_000 * (first?.services ?? Number.NaN)) / capacityMilli,
    servicesAtTenth: (100_000 * placed.length) / capacityMilli,
    fragile: placed.filter(isFragile).length,
  };
}

/** By the places alone. */
export function isFragile(members: readonly PlacedMember[]): boolean {
  return members.some(({ place }) => {
    const lost = members.filter((other) => other.place.node === place.node);
    return new Set(lost.map(({ member }) => member.level)).size > 1;
  });
}

export interface ReserveDepartures {
  readonly allocation: number;
  readonly rejected: number;
}

/** Services come and leave, each as a whole. */
export function turnServicesOver(run: ReserveRun, load: number): ReserveDepartures {
  const { fleet, capacityMilli, place } = openSite(run);
  return comeAndLeave({
    lives: serviceLives(),
    capacity: capacityMilli,
    load,
    seed: run.seed,
    warmUpSeconds: 2 * LIFETIME_MAX_SECONDS,
    measuredSeconds: 3 * LIFETIME_MAX_SECONDS,
    place(service) {
      const members = place(service);
      return members === null ? null : () => members.forEach(({ member, place: at }) => releaseShape(fleet, member.shape, at));
    },
  });
}

function serviceLives(): readonly Life<Service>[] {
  const random = seeded(LIFETIME_SEED);
  return SERVICES.flatMap((asked) =>
    Array.from({ length: LIVES_EACH }, () => ({
      asked,
      seconds: Math.min(LIFETIME_MAX_SECONDS, -LIFETIME_MEAN_SECONDS * Math.log(1 - random())),
      weight: weightOf(asked),
    })),
  );
}
