import { createHash } from "node:crypto";
import { createFleetIndex, type FleetNode, type FleetPlace, type PlacementShape } from "../../src/placement/fleet-index.ts";
import { WorkloadMix } from "../../src/placement/workload-mix.ts";
import { monotonicMs } from "../failover/monotonic.ts";
import { percentile } from "../failover/statistics.ts";
import { createPolicy, type PolicyName } from "./policies.ts";
import { countViolations, PODS_PER_NODE_MAX, replayLog, type Readings } from "./replay-log.ts";

/** The paper's typical workload: the most frequent shapes until this share of the pods is covered. */
const TYPICAL_COVERAGE = 0.95;

export interface RunInput {
  readonly nodes: readonly FleetNode[];
  readonly pods: readonly PlacementShape[];
  readonly arrivals: readonly PlacementShape[];
  readonly policy: PolicyName;
  readonly seed: number;
}

export interface RunOutcome {
  readonly at: Readings;
  readonly placed: number;
  readonly failed: number;
  /** By the processor time of all decisions: binding, learning and collecting garbage included. */
  readonly decisionsPerSecond: number;
  /** By the clock: what else runs on the machine is in them. */
  readonly decisionP50Us: number;
  readonly decisionP99Us: number;
  /** Of the whole log of places: equal only for equal decisions. */
  readonly logHash: string;
  readonly violations: number;
}

/** All decisions first, timed; then what they came to, from their log. */
export function runTrace({ nodes, pods, arrivals, policy, seed }: RunInput): RunOutcome {
  const mix = new WorkloadMix();
  for (const pod of pods) mix.add(pod);
  const shares = mix.shares(TYPICAL_COVERAGE);
  const fleet = createFleetIndex(nodes, { boundMax: PODS_PER_NODE_MAX });
  const place = createPolicy(policy, { fleet, shares, seed });
  const places: (FleetPlace | null)[] = [];
  const tookMs: number[] = [];
  const startedUsage = process.cpuUsage();
  for (const shape of arrivals) {
    const startedMs = monotonicMs();
    places.push(place(shape));
    tookMs.push(monotonicMs() - startedMs);
  }
  const { user, system } = process.cpuUsage(startedUsage);
  const log = { nodes, arrivals, places };
  return {
    at: replayLog(log, shares),
    placed: places.filter((chosen) => chosen !== null).length,
    failed: places.filter((chosen) => chosen === null).length,
    decisionsPerSecond: (1_000_000 * arrivals.length) / (user + system),
    decisionP50Us: 1_000 * (percentile(tookMs, 0.5) ?? 0),
    decisionP99Us: 1_000 * (percentile(tookMs, 0.99) ?? 0),
    logHash: hashOf(places),
    violations: countViolations(log),
  };
}

function hashOf(places: readonly (FleetPlace | null)[]): string {
  const hash = createHash("sha256");
  for (const chosen of places) hash.update(chosen === null ? "-\n" : `${chosen.node}:${chosen.gpus.join(",")}\n`);
  return hash.digest("hex");
}
