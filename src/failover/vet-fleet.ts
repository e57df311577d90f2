import type { GpuNode } from "../api/gpu-node.ts";
import type { GpuPartition } from "../api/gpu-partition.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { InstanceName, ServiceName } from "../base/ids.ts";
import type { Explanation } from "../base/result.ts";
import type { GpuPlace } from "../placement/placement-request.ts";
import { finish, type Steps } from "../base/steps.ts";
import { planPartitions, type AnyPartition } from "../placement/plan-partitions.ts";
import { requestsOf } from "../placement/requests-of.ts";
import { wakeBudgetMs } from "../routing/wake-wish.ts";
import { explainGivenUp, explainLast, explainNothingLeft, explainRecovery } from "./explain-vetting.ts";
import { recoveryMs, verifiedMoveMs, type RecoveryTime } from "./recovery-time.ts";
import { vetConfig } from "./vet-config.ts";
import { vetHostMemory } from "./vet-host-memory.ts";
import { vetLossesInSteps, type LossRecovery } from "./vet-losses.ts";

/** What a service's promise is worth by arithmetic. */
export interface Vetting {
  /** Nothing could keep it; null = something can. */
  readonly impossible: Explanation | null;
  /** What puts it at risk, one line each, the worst first; empty = it can be kept. */
  readonly risks: readonly string[];
  /** The longest recovery that was worked out; null = no node that it may use is known, and nothing was. */
  readonly worstMs: number | null;
}

interface VettedWorld {
  readonly configs: readonly HotStandbyConfig[];
  readonly nodes: readonly GpuNode[];
  /** What is placed already; the rest is taken to go where the allocator would put it. */
  readonly known: readonly AnyPartition[];
  /** The last measured failover of a service. */
  readonly lastRtoMs: ReadonlyMap<ServiceName, number>;
}

/** Every promise, alone and all together. */
export const vetFleet = (world: VettedWorld): ReadonlyMap<ServiceName, Vetting> => finish(vetFleetInSteps(world));

/** As `vetFleet`, a step for each loss and for each service: a large fleet's takes long, and something else may want the process. */
export function* vetFleetInSteps(world: VettedWorld): Steps<ReadonlyMap<ServiceName, Vetting>> {
  const { configs, nodes } = world;
  const fleet = { configs, nodes, placements: expectedPlacements(world) };
  const losses = yield* vetLossesInSteps(fleet);
  const hosts = vetHostMemory(fleet);
  const vettings = new Map<ServiceName, Vetting>();
  for (const config of configs) {
    const { impossible, recovery } = vetConfig(config, nodes);
    const joint = losses.get(config.name) ?? [];
    const lastMs = world.lastRtoMs.get(config.name) ?? 0;
    const risks = [
      ...lossRisks(config, recovery, joint),
      ...wakeRisks(config, [recovery, ...joint.map(({ time }) => time)]),
      ...(hosts.get(config.name) ?? []),
      ...(lastMs > config.failoverPolicy.rtoTargetMs ? [explainLast(config, lastMs)] : []),
    ];
    const times = [recovery, ...joint.map(({ time }) => time)].flatMap((time) => (time === null ? [] : [recoveryMs(time)]));
    vettings.set(config.name, {
      impossible,
      risks: impossible === null ? risks : [impossible.what],
      worstMs: times.length === 0 ? null : Math.max(...times),
    });
    yield;
  }
  return vettings;
}

/** As the allocator would: what runs stays, the rest goes where there is room. What has no room is left out. */
function expectedPlacements({ configs, nodes, known }: VettedWorld): ReadonlyMap<InstanceName, readonly GpuPlace[]> {
  const wanted = configs.flatMap(requestsOf);
  const standing = Map.groupBy(known.filter(isPlaced), ({ instance }) => instance);
  // What stands stays, as long as nobody says that it does not run: where everything stands, there is nothing to plan.
  if (wanted.every(({ instance, memberBytes }) => standing.get(instance)?.length === memberBytes.length))
    return new Map(wanted.map(({ instance }) => [instance, standing.get(instance) ?? []]));
  const plan = planPartitions({ wanted, untouched: new Set(), known, nodes, seen: null, quarantined: [] });
  return Map.groupBy(plan.desired.map(({ partition }) => partition).filter(isPlaced), ({ instance }) => instance);
}

const isPlaced = (partition: AnyPartition): partition is GpuPartition => partition.node !== null;

/** The longest of the losses stands for all: they differ in little but their place. */
function lossRisks(config: HotStandbyConfig, alone: RecoveryTime | null, joint: readonly LossRecovery[]): readonly string[] {
  const all = [...(alone === null ? [] : [{ loss: ONE_ENGINE, time: alone }]), ...joint];
  const late = all.filter((one) => endMs(one) > config.failoverPolicy.rtoTargetMs);
  const worst = late.reduce<LossRecovery | null>((found, one) => (found === null || endMs(one) > endMs(found) ? one : found), null);
  if (worst === null) return [];
  const line = worst.time === null ? explainNothingLeft(config, worst.loss) : explainRecovery(config, worst.loss, worst.time);
  return [late.length === 1 ? line : `${line} ${late.length - 1} more ${late.length === 2 ? "loss takes" : "losses take"} too long.`];
}

/** The longest wake against the time that gateways give one. */
function wakeRisks(config: HotStandbyConfig, times: readonly (RecoveryTime | null)[]): readonly string[] {
  const wakes = times.flatMap((time) => (time?.move?.rung === "warm" ? [{ ...time, move: time.move }] : []));
  const [longest] = wakes.toSorted((a, b) => verifiedMoveMs(b.move, b.besideMs) - verifiedMoveMs(a.move, a.besideMs));
  const isGivenUp = longest !== undefined && verifiedMoveMs(longest.move, longest.besideMs) > wakeBudgetMs(config.failoverPolicy);
  return isGivenUp ? [explainGivenUp(config, longest.move, longest)] : [];
}

const ONE_ENGINE = "one engine";
const endMs = ({ time }: LossRecovery): number => (time === null ? Number.POSITIVE_INFINITY : recoveryMs(time));
