import type { FleetIndex } from "./fleet-index.ts";
import { UNLEARNING, type ScoringPolicy } from "./scoring-policy.ts";
import { AS_IN_PAPER } from "./unusable-milli.ts";
import { UnusableScorer } from "./unusable-scorer.ts";
import { mixOfModel, type ShapeShare } from "./workload-mix.ts";

/**
 * Fragmentation gradient descent, as published ("Beware of Fragmentation", USENIX ATC'23): the node on which the least becomes unusable,
 * in whole hundredths of a sigmoid, equal ones by name.
 * @param shares the typical workload, known beforehand; the paper takes the most frequent 95 % of the requests.
 */
export function createFgd(fleet: FleetIndex, shares: readonly ShapeShare[]): ScoringPolicy {
  const scorer = new UnusableScorer(fleet, {
    mixes: fleet.models.map((model) => mixOfModel(shares, model)),
    weights: AS_IN_PAPER,
    grade: (savedMilli) => Math.trunc(100 / (1 + Math.exp(-savedMilli / 1_000))),
    takesFuller: false,
  });
  return {
    name: "fgd",
    ...UNLEARNING,
    scoreNode: (index, node, shape, verdict) => scorer.scoreNode(index, node, shape, verdict),
  };
}
