import { oncePer } from "../base/once-per.ts";
import type { InstanceRequest } from "./placement-request.ts";

/**
 * All that decides what a node offers to a newcomer: two requests of one shape differ in whose they are, and in which nodes they may use.
 * Whose they are matters on nodes where tenants must not share a GPU; unused ones are to all tenants the same.
 */
export const shapeOf = oncePer(
  ({ isolation, mayBeOversold, computePercent, capBytes, memberBytes, isExclusive }: InstanceRequest): string =>
    JSON.stringify([isolation, mayBeOversold, computePercent, capBytes, memberBytes, isExclusive]),
);
