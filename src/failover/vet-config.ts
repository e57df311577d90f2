import { matchesNode } from "../api/match-node.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { Explanation } from "../base/result.ts";
import { requestsOf } from "../placement/requests-of.ts";
import { explainHostMemory, explainImpossible } from "./explain-vetting.ts";
import { ALONE, fastestOf, loadOn, mayActivate, moveMs, prefillOf, wakeOn, type RecoveryTime, type WeightsMove } from "./recovery-time.ts";

/** What one service can keep by itself, whatever else the fleet has to do. */
interface ConfigVetting {
  /** Why nothing could keep the promise; null = something can. */
  readonly impossible: Explanation | null;
  /** How it comes back when the engine of one hot instance dies; null = no node that it may use is known. */
  readonly recovery: RecoveryTime | null;
}

/**
 * The promise of one service against physics: alone, on the fastest of the nodes that it may use. Impossible is only what no luck
 * mends: weights that move too slowly however early the fault is found, and sleepers that no host can keep.
 */
export function vetConfig(config: HotStandbyConfig, nodes: readonly GpuNode[]): ConfigVetting {
  const recovery = recoveryAlone(config, nodes);
  return { impossible: unkeepable(config, nodes) ?? tooSlow(config, nodes, recovery), recovery };
}

function recoveryAlone(config: HotStandbyConfig, nodes: readonly GpuNode[]): RecoveryTime | null {
  const { hot, warm, model } = config;
  const hotCount = hot.gpuCount / model.tensorParallelSize;
  const warmCount = (warm?.gpuCount ?? 0) / model.tensorParallelSize;
  const spareCount = hotCount > 1 ? hotCount - 1 : warm?.rest === "resident" ? warmCount : 0;
  const prefill = prefillOf(config, { lostRatio: 1 / hotCount, takers: Math.max(1, spareCount) });
  if (spareCount > 0) return { move: null, ...ALONE, prefill };
  const move = fastestOf(movesAlone(config, nodes));
  return move === null ? null : { move, ...ALONE, prefill };
}

/** Every way in which the weights could come: a wake, the reserve, a restart in place of the dead engine. */
function movesAlone(config: HotStandbyConfig, nodes: readonly GpuNode[]): readonly WeightsMove[] {
  const { hot, warm, cold } = config;
  const isReserved = cold !== null && cold.memoryReservedBytes > 0;
  return nodes.flatMap((node) => [
    ...(warm !== null && mayActivate(config) && matchesNode(node, warm) ? [wakeOn(config, node)] : []),
    ...(isReserved && mayActivate(config) && matchesNode(node, cold) ? [loadOn(config, node)] : []),
    ...(matchesNode(node, hot) ? [loadOn(config, node)] : []),
  ]);
}

function tooSlow(config: HotStandbyConfig, nodes: readonly GpuNode[], recovery: RecoveryTime | null): Explanation | null {
  const move = recovery?.move ?? null;
  if (move === null || moveMs(move) <= config.failoverPolicy.rtoTargetMs) return null;
  return explainImpossible(config, move, isDiskFaster(config, nodes));
}

const isDiskFaster = ({ hot }: HotStandbyConfig, nodes: readonly GpuNode[]): boolean =>
  nodes.some((node) => matchesNode(node, hot) && node.links.disk > node.links.network);

/** A sleeper keeps a copy of its weights in the memory of one host. */
function unkeepable(config: HotStandbyConfig, nodes: readonly GpuNode[]): Explanation | null {
  const sleeper = requestsOf(config).find(({ hostBytes }) => hostBytes > 0);
  if (sleeper === undefined) return null;
  const hosts = nodes.filter((node) => matchesNode(node, sleeper)).map((node) => node.hostMemoryBytes);
  const largestBytes = Math.max(...hosts);
  return hosts.length === 0 || sleeper.hostBytes <= largestBytes ? null : explainHostMemory(config, sleeper, largestBytes);
}
