import { bindShape, type FleetIndex, type FleetPlace, type PlacementShape } from "./fleet-index.ts";
import type { FleetPlacer } from "./place-on-fleet.ts";

/** An instance of a service, or bytes that are kept free for one. */
export interface ServiceMember {
  readonly level: "hot" | "warm" | "cold";
  readonly shape: PlacementShape;
}

export interface PlacedMember {
  readonly member: ServiceMember;
  readonly place: FleetPlace;
}

/**
 * All members of a service, bound, or none: no two on one node, and no zone with two of its levels, so that the loss of a node takes one
 * member and that of a zone one level. null = one of them finds no place.
 * @param members in the order in which they choose.
 * @param zoneOf by node, in the order of the fleet's names.
 */
export function placeApart(
  fleet: FleetIndex,
  placer: FleetPlacer,
  { members, zoneOf }: { readonly members: readonly ServiceMember[]; readonly zoneOf: readonly string[] },
): readonly PlacedMember[] | null {
  for (const { shape } of members) placer.observe(shape);
  const placed: PlacedMember[] = [];
  for (const member of members) {
    const isBarred = (node: number): boolean =>
      placed.some(
        ({ member: other, place }) => place.node === node || (other.level !== member.level && zoneOf[place.node] === zoneOf[node]),
      );
    const place = placer.choose(member.shape, isBarred);
    if (place === null) return null;
    placed.push({ member, place });
  }
  // Only now: no member has the node of another, so none of them changed what the others chose from.
  for (const { member, place } of placed) bindShape(fleet, member.shape, place);
  return placed;
}
