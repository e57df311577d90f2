import type { FleetIndex } from "../../src/placement/fleet-index.ts";
import { createFleetPlacer } from "../../src/placement/place-on-fleet.ts";
import { createFgd } from "../../src/placement/score-fgd.ts";
import { createLeastStranded } from "../../src/placement/score-least-stranded.ts";
import { BEST_FIT, BINPACK, SPREAD } from "../../src/placement/score-simple.ts";
import type { ScoringPolicy } from "../../src/placement/scoring-policy.ts";
import type { ShapeShare } from "../../src/placement/workload-mix.ts";
import { seeded } from "../failover/seeded.ts";
import { DOT_PROD, placeAtRandom, placeByClustering, type PlaceNext } from "./baselines.ts";

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

export function createPolicy(name: PolicyName, { fleet, shares, seed }: PolicySetting): PlaceNext {
  const byScore = (policy: ScoringPolicy): PlaceNext => {
    const placer = createFleetPlacer(fleet, policy);
    return (shape) => placer.place(shape);
  };
  switch (name) {
    case "random":
      return placeAtRandom(fleet, seeded(seed ^ RANDOM_STREAM));
    case "clustering":
      return placeByClustering(fleet);
    case "dotprod":
      return byScore(DOT_PROD);
    case "spread":
      return byScore(SPREAD);
    case "binpack":
      return byScore(BINPACK);
    case "best-fit":
      return byScore(BEST_FIT);
    case "fgd":
      return byScore(createFgd(fleet, shares));
    case "least-stranded":
      return byScore(createLeastStranded(fleet));
  }
}

/** Other chance than that of the arrivals. */
const RANDOM_STREAM = 0x5eed;
