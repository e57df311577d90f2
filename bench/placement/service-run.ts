import { seeded } from "../failover/seeded.ts";
import { milliOf } from "./arrivals.ts";
import { comeAndLeave, type ComeAndLeaveOutcome, type Life } from "./come-and-leave.ts";
import type { Service } from "./service-mix.ts";
import type { ServiceSite, StandingService } from "./service-site.ts";

const REFUSED_RATIO = 0.1;
/** The first refusal alone is no tenth of anything yet. */
const ASKED_MIN = 100;
const LIFETIME_MEAN_SECONDS = 600;
const LIFETIME_MAX_SECONDS = 6 * LIFETIME_MEAN_SECONDS;
const LIFETIME_SEED = 7;
const LIVES_EACH = 50;

/** A site, what is asked of it, and in which order. */
export interface ServiceRun extends ServiceSite {
  readonly services: readonly Service[];
  readonly capacityMilli: number;
  readonly seed: number;
}

export interface ServiceFill {
  /** Of all GPU milli, in percent, when the first service was refused, and when a tenth of them had been. */
  readonly firstRefusal: number;
  readonly tenthRefusal: number;
  /** With all that they were promised, for each hundred GPUs, at the same two moments. */
  readonly servicesAtFirst: number;
  readonly servicesAtTenth: number;
  /** Services that the loss of one node takes more than one level of. */
  readonly fragile: number;
}

const weightOf = (service: Service): number => service.reduce((sum, { shape }) => sum + milliOf(shape), 0);

/** Services come until a tenth of them has been refused, and stay. */
export function fillWithServices({ services, capacityMilli, seed, place }: ServiceRun): ServiceFill {
  const random = seeded(seed);
  const placed: StandingService[] = [];
  let asked = 0;
  let usedMilli = 0;
  let first: { readonly usedMilli: number; readonly services: number } | null = null;
  while (asked < ASKED_MIN || asked - placed.length < REFUSED_RATIO * asked) {
    const service = services[Math.floor(random() * services.length)] ?? [];
    asked++;
    const standing = place(service);
    if (standing === null) first ??= { usedMilli, services: placed.length };
    else {
      placed.push(standing);
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
export function isFragile({ members }: Pick<StandingService, "members">): boolean {
  const lost = [...Map.groupBy(members, ({ node }) => node).values()];
  return lost.some((together) => new Set(together.map(({ level }) => level)).size > 1);
}

/** Services come and leave, each as a whole. @param times in lifetimes of the longest-lived. */
export function turnServicesOver(
  { services, capacityMilli, seed, place }: ServiceRun,
  { load, ...times }: { readonly load: number; readonly warmUp: number; readonly measured: number },
): ComeAndLeaveOutcome {
  return comeAndLeave({
    lives: livesOf(services),
    capacity: capacityMilli,
    load,
    seed,
    warmUpSeconds: times.warmUp * LIFETIME_MAX_SECONDS,
    measuredSeconds: times.measured * LIFETIME_MAX_SECONDS,
    place: (service) => place(service)?.leave ?? null,
  });
}

function livesOf(services: readonly Service[]): readonly Life<Service>[] {
  const random = seeded(LIFETIME_SEED);
  return services.flatMap((asked) =>
    Array.from({ length: LIVES_EACH }, () => ({
      asked,
      seconds: Math.min(LIFETIME_MAX_SECONDS, -LIFETIME_MEAN_SECONDS * Math.log(1 - random())),
      weight: weightOf(asked),
    })),
  );
}
