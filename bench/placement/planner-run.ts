import { seeded } from "../failover/seeded.ts";
import { milliOf } from "./arrivals.ts";
import { comeAndLeave, type Life } from "./come-and-leave.ts";
import { INFERENCE_MIXES } from "./gang-mixes.ts";
import { plannerSite } from "./planner-site.ts";
import { POLICY_NAMES, type PolicyName } from "./policies.ts";
import { SERVICES, zonedNodes, type Service } from "./service-mix.ts";
import { scoredSite, type ServiceSite, type StandingService } from "./service-site.ts";

/** What chooses: policies of this bench, the controllers' planner as it was when it did not look at what is wanted, and as it is. */
export const CHOOSERS = ["random", "best-fit", "fgd", "least-stranded", "planner-untold", "planner"] as const;
export type Chooser = (typeof CHOOSERS)[number];

const NODE_COUNT = 64;
const REFUSED_RATIO = 0.1;
const ASKED_MIN = 100;
const LIFETIME_MEAN_SECONDS = 600;
const LIFETIME_MAX_SECONDS = 6 * LIFETIME_MEAN_SECONDS;
const LIFETIME_SEED = 7;
const LIVES_EACH = 50;

/** The planner knows GPUs, and host memory where instances sleep: so nobody is bound by CPUs here. */
const withoutHost = (service: Service): Service =>
  service.map(({ level, shape }) => ({ level, shape: { ...shape, cpuMilli: 0, memoryMib: 0 } }));

export const PLANNER_MIXES: ReadonlyMap<string, readonly Service[]> = new Map([
  ["services", SERVICES.map(withoutHost)],
  ...INFERENCE_MIXES.map(([name, shapes]) => [name, shapes.map((shape) => withoutHost([{ level: "hot", shape }]))] as const),
]);

export interface PlannerRun {
  readonly mix: string;
  /** Nodes in turn from each zone by their names, or zone after zone. */
  readonly names: "in-turn" | "by-zone";
  readonly chooser: Chooser;
  readonly seed: number;
}

const isPolicy = (chooser: Chooser): chooser is Chooser & PolicyName => POLICY_NAMES.some((name) => name === chooser);

interface Opened extends ServiceSite {
  readonly services: readonly Service[];
  readonly capacityMilli: number;
}

function open({ mix, names, chooser, seed }: PlannerRun): Opened {
  const services = PLANNER_MIXES.get(mix) ?? [];
  const nodes = zonedNodes(NODE_COUNT).map((node) => (names === "in-turn" ? node : { ...node, name: `${node.zone}-${node.name}` }));
  const site = isPolicy(chooser)
    ? scoredSite(chooser, { nodes, services, seed })
    : plannerSite(nodes, { isToldWanted: chooser === "planner" });
  return { ...site, services, capacityMilli: nodes.reduce((sum, { gpuCount }) => sum + 1_000 * gpuCount, 0) };
}

const weightOf = (service: Service): number => service.reduce((sum, { shape }) => sum + milliOf(shape), 0);

export interface PlannerFill {
  /** GPU milli in use, in percent of all, when the first was refused, and when a tenth of them had been. */
  readonly firstRefusal: number;
  readonly tenthRefusal: number;
  /** Services that the loss of one node takes more than one level of. */
  readonly fragile: number;
}

/** Services come until a tenth of them has been refused, and stay. */
export function fillByPlanner(run: PlannerRun): PlannerFill {
  const { services, capacityMilli, place } = open(run);
  const random = seeded(run.seed);
  const placed: StandingService[] = [];
  let asked = 0;
  let usedMilli = 0;
  let firstMilli: number | null = null;
  while (asked < ASKED_MIN || asked - placed.length < REFUSED_RATIO * asked) {
    const service = services[Math.floor(random() * services.length)] ?? [];
    asked++;
    const standing = place(service);
    if (standing === null) firstMilli ??= usedMilli;
    else {
      placed.push(standing);
      usedMilli += weightOf(service);
    }
  }
  return {
    firstRefusal: (100 * (firstMilli ?? Number.NaN)) / capacityMilli,
    tenthRefusal: (100 * usedMilli) / capacityMilli,
    fragile: placed.filter(isFragile).length,
  };
}

/** By the places alone. */
export function isFragile({ members }: StandingService): boolean {
  const levels = [...Map.groupBy(members, ({ node }) => node).values()];
  return levels.some((lost) => new Set(lost.map(({ level }) => level)).size > 1);
}

export interface PlannerTurnover {
  readonly allocation: number;
  readonly rejected: number;
}

/** Services come and leave, each as a whole. */
export function turnOverByPlanner(run: PlannerRun, load: number): PlannerTurnover {
  const { services, capacityMilli, place } = open(run);
  return comeAndLeave({
    lives: livesOf(services),
    capacity: capacityMilli,
    load,
    seed: run.seed,
    warmUpSeconds: LIFETIME_MAX_SECONDS,
    measuredSeconds: 2 * LIFETIME_MAX_SECONDS,
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
