import { createFleetIndex, releaseShape } from "../../src/placement/fleet-index.ts";
import { placeApart } from "../../src/placement/place-apart.ts";
import { WorkloadMix } from "../../src/placement/workload-mix.ts";
import { createPlacer, type PolicyName } from "./policies.ts";
import { PODS_PER_NODE_MAX } from "./replay-log.ts";
import { SERVICES, zonedNodes } from "./service-mix.ts";
import type { ServiceRun } from "./service-run.ts";

const NODE_COUNT = 64;

/** Services placed by `placeApart`. FGD is told all members of all services. */
export function reserveRun({ policy, seed }: { readonly policy: PolicyName; readonly seed: number }): ServiceRun {
  const nodes = zonedNodes(NODE_COUNT);
  const fleet = createFleetIndex(nodes, { boundMax: PODS_PER_NODE_MAX });
  const mix = new WorkloadMix();
  for (const { shape } of SERVICES.flat()) mix.add(shape);
  const placer = createPlacer(policy, { fleet, shares: mix.shares(1), seed });
  const zones = new Map(nodes.map(({ name, zone }) => [name, zone]));
  const zoneOf = fleet.names.map((name) => zones.get(name) ?? "");
  return {
    services: SERVICES,
    capacityMilli: fleet.freeMilliOf.reduce((sum, milli) => sum + milli, 0),
    seed,
    place(service) {
      const placed = placeApart(fleet, placer, { members: service, zoneOf });
      if (placed === null) return null;
      return {
        members: placed.map(({ member, place }) => ({ level: member.level, node: fleet.names[place.node] ?? "" })),
        leave: () => placed.forEach(({ member, place }) => releaseShape(fleet, member.shape, place)),
      };
    },
  };
}
