import { createFleetIndex, releaseShape, bindShape, type FleetPlace } from "../../src/placement/fleet-index.ts";
import type { ServiceMember } from "../../src/placement/place-apart.ts";
import { WorkloadMix } from "../../src/placement/workload-mix.ts";
import { createPlacer, type PolicyName } from "./policies.ts";
import { PODS_PER_NODE_MAX } from "./replay-log.ts";
import type { Service, ZonedNode } from "./service-mix.ts";

/** Where each member of a service is. */
export interface StandingService {
  readonly members: readonly { readonly level: ServiceMember["level"]; readonly node: string }[];
  readonly leave: () => void;
}

/** A fleet on which services are placed, all members or none. */
export interface ServiceSite {
  readonly place: (service: Service) => StandingService | null;
}

/**
 * The rules of all sites. A member must not have a node of its service, nor a zone with another level of it; and it takes a zone without
 * an instance of its own level where one fits, as the controllers' planner does.
 */
export class ServiceRules {
  readonly #taken: { readonly level: ServiceMember["level"]; readonly node: string; readonly zone: string }[] = [];
  readonly #zoneOf: ReadonlyMap<string, string>;

  constructor(zoneOf: ReadonlyMap<string, string>) {
    this.#zoneOf = zoneOf;
  }

  take(level: ServiceMember["level"], node: string): void {
    this.#taken.push({ level, node, zone: this.#zoneOf.get(node) ?? "" });
  }

  isBarred(level: ServiceMember["level"], node: string): boolean {
    const zone = this.#zoneOf.get(node);
    return this.#taken.some((other) => other.node === node || (other.level !== level && other.zone === zone));
  }

  isNear(node: string): boolean {
    const zone = this.#zoneOf.get(node);
    return this.#taken.some((other) => other.zone === zone);
  }
}

/** Placed by a policy of the placement bench. */
export function scoredSite(
  policy: PolicyName,
  of: { readonly nodes: readonly ZonedNode[]; readonly services: readonly Service[]; readonly seed: number },
): ServiceSite {
  const fleet = createFleetIndex(of.nodes, { boundMax: PODS_PER_NODE_MAX });
  const mix = new WorkloadMix();
  for (const { shape } of of.services.flat()) mix.add(shape);
  const placer = createPlacer(policy, { fleet, shares: mix.shares(1), seed: of.seed });
  const zoneOf = new Map(of.nodes.map(({ name, zone }) => [name, zone]));
  const nameOf = (node: number): string => fleet.names[node] ?? "";
  return {
    place(service) {
      for (const { shape } of service) placer.observe(shape);
      const rules = new ServiceRules(zoneOf);
      const found: { readonly member: ServiceMember; readonly place: FleetPlace }[] = [];
      for (const member of service) {
        const isBarred = (node: number): boolean => rules.isBarred(member.level, nameOf(node));
        const place =
          placer.choose(member.shape, (node) => isBarred(node) || rules.isNear(nameOf(node))) ?? placer.choose(member.shape, isBarred);
        if (place === null) return null;
        rules.take(member.level, nameOf(place.node));
        found.push({ member, place });
      }
      for (const { member, place } of found) bindShape(fleet, member.shape, place);
      return {
        members: found.map(({ member, place }) => ({ level: member.level, node: nameOf(place.node) })),
        leave: () => found.forEach(({ member, place }) => releaseShape(fleet, member.shape, place)),
      };
    },
  };
}
