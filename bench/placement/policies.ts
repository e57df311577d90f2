import type { FleetIndex } from "../../src/placement/fleet-index.ts";
import { createFleetPlacer, type FleetPlacer } from "../../src/placement/place-on-fleet.ts";
import { createFgd } from "../../src/placement/score-fgd.ts";
import { createLeastStranded } from "../../src/placement/score-least-stranded.ts";
import { BEST_FIT, BINPACK, SPREAD } from "../../src/placement/score-simple.ts";
import type { ShapeShare } from "../../src/placement/workload-mix.ts";
import { seeded } from "../failover/seeded.ts";
import { DOT_PROD, createRandomPlacer, placeByClustering, type PlaceNext } from "./baselines.ts";

/** The paper's six and spread, then ours. */
export const POLICY_NAMES = ["random", "spread", "dotprod", "clustering", "binpack", "best-fit", "fgd", "least-stranded"] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];
export const OURS = "least-stranded" satisfies PolicyName;

export interface PolicySetting {
  readonly fleet: FleetIndex;
  /** The typical workload, which only FGD is told. */
  readonly shares: readonly ShapeShare[];
  readonly seed: number;
}

export function createPolicy(name: PolicyName, setting: PolicySetting): PlaceNext {
  if (name === "clustering") return placeByClustering(setting.fleet);
  const placer = createPlacer(name, setting);
  return (shape) => placer.place(shape);
}

/** Of those that score, and at random: what can also be told which nodes it must not take. */
export function createPlacer(name: PolicyName, { fleet, shares, seed }: PolicySetting): FleetPlacer {
  switch (name) {
    case "random":
      return createRandomPlacer(fleet, seeded(seed ^ RANDOM_STREAM));
    case "clustering":
      throw new Error("Clustering places what it chooses; it cannot only choose.");
    case "dotprod":
      return createFleetPlacer(fleet, DOT_PROD);
    case "spread":
      return createFleetPlacer(fleet, SPREAD);
    case "binpack":
      return createFleetPlacer(fleet, BINPACK);
    case "best-fit":
      return createFleetPlacer(fleet, BEST_FIT);
    case "fgd":
      return createFleetPlacer(fleet, createFgd(fleet, shares));
    case "least-stranded":
      return createFleetPlacer(fleet, createLeastStranded(fleet));
  }
}

/** Other chance than that of the arrivals. */
const RANDOM_STREAM = 0x5eed;
