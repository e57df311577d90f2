import { INFERENCE_MIXES } from "./gang-mixes.ts";
import { plannerSite } from "./planner-site.ts";
import { POLICY_NAMES, type PolicyName } from "./policies.ts";
import { SERVICES, zonedNodes, type Service } from "./service-mix.ts";
import type { ServiceRun } from "./service-run.ts";
import { scoredSite } from "./service-site.ts";

/** What chooses: policies of this bench, the controllers' planner as it was when it did not look at what is wanted, and as it is. */
export const CHOOSERS = ["random", "best-fit", "fgd", "least-stranded", "planner-untold", "planner"] as const;
export type Chooser = (typeof CHOOSERS)[number];

const NODE_COUNT = 64;

/** The planner knows GPUs, and host memory where instances sleep: so nobody is bound by CPUs here. */
const withoutHost = (service: Service): Service =>
  service.map(({ level, shape }) => ({ level, shape: { ...shape, cpuMilli: 0, memoryMib: 0 } }));

export const PLANNER_MIXES: ReadonlyMap<string, readonly Service[]> = new Map([
  ["services", SERVICES.map(withoutHost)],
  ...INFERENCE_MIXES.map(([name, shapes]) => [name, shapes.map((shape) => withoutHost([{ level: "hot", shape }]))] as const),
]);

export interface PlannerSetting {
  readonly mix: string;
  /** Nodes in turn from each zone by their names, or zone after zone. */
  readonly names: "in-turn" | "by-zone";
  readonly chooser: Chooser;
  readonly seed: number;
}

const isPolicy = (chooser: Chooser): chooser is Chooser & PolicyName => POLICY_NAMES.some((name) => name === chooser);

export function plannerRun({ mix, names, chooser, seed }: PlannerSetting): ServiceRun {
  const services = PLANNER_MIXES.get(mix) ?? [];
  const nodes = zonedNodes(NODE_COUNT).map((node) => (names === "in-turn" ? node : { ...node, name: `${node.zone}-${node.name}` }));
  const site = isPolicy(chooser)
    ? scoredSite(chooser, { nodes, services, seed })
    : plannerSite(nodes, { isToldWanted: chooser === "planner" });
  return { ...site, services, seed, capacityMilli: nodes.reduce((sum, { gpuCount }) => sum + 1_000 * gpuCount, 0) };
}
