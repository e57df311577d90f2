import { matchesNode } from "../api/match-node.ts";
import type { GpuNode } from "../api/gpu-node.ts";
import type { HotStandbyConfig, Level } from "../api/hot-standby-config.ts";
import type { InstanceName, NodeName, ServiceName } from "../base/ids.ts";
import { finish, type Steps } from "../base/steps.ts";
import { TIER_ORDER } from "../placement/place-instances.ts";
import type { GpuPlace } from "../placement/placement-request.ts";
import { desiredInstances, reserveInstances } from "./desired-instances.ts";
import {
  ALONE,
  fastestOf,
  loadOn,
  mayActivate,
  moveMs,
  prefillOf,
  transferMs,
  VERIFICATION_MS,
  wakeOn,
  type RecoveryTime,
  type WeightsMove,
} from "./recovery-time.ts";

export interface Fleet {
  readonly configs: readonly HotStandbyConfig[];
  readonly nodes: readonly GpuNode[];
  /** Where each instance stands or would stand, the reserve too; one without a place is left out. */
  readonly placements: ReadonlyMap<InstanceName, readonly GpuPlace[]>;
}

/** What a loss costs one service whose hot level it touches. */
export interface LossRecovery {
  /** `GPU gpu-a/0`, `node gpu-a`, `zone az-1`. */
  readonly loss: string;
  /** null = nothing of it is left, and no other node that it may use. */
  readonly time: RecoveryTime | null;
}

/**
 * The loss of each GPU, each node and each zone: who comes back how, all services together. What moves over one link moves one after
 * another, the dearest promise first; services that are equally dear are each taken to come last, and one cheaper move to run already. A loss of the whole fleet is left out.
 */
export const vetLosses = (fleet: Fleet): ReadonlyMap<ServiceName, readonly LossRecovery[]> => finish(vetLossesInSteps(fleet));

/** As `vetLosses`, a step for each loss. */
export function* vetLossesInSteps(fleet: Fleet): Steps<ReadonlyMap<ServiceName, readonly LossRecovery[]>> {
  const standings = standingsByNode(fleet);
  const found = new Map<ServiceName, LossRecovery[]>(fleet.configs.map(({ name }) => [name, []]));
  for (const loss of lossesOf(fleet.nodes)) {
    const near = new Set(loss.nodes.flatMap(({ name }) => standings.get(name) ?? []));
    const touched = [...near].flatMap((standing) => wayBack(standing, loss, fleet.nodes) ?? []);
    for (const one of touched) found.get(one.config.name)?.push({ loss: loss.what, time: timeOf(one, touched) });
    yield;
  }
  return found;
}

interface Loss {
  readonly what: string;
  /** Those of which it takes something. */
  readonly nodes: readonly GpuNode[];
  readonly takes: (place: GpuPlace) => boolean;
}

/** The smallest first. */
function lossesOf(nodes: readonly GpuNode[]): readonly Loss[] {
  const gpus = nodes.flatMap((node) =>
    node.gpus.map(({ index }) => ({
      what: `GPU ${node.name}/${index}`,
      nodes: [node],
      takes: (place: GpuPlace) => place.node === node.name && place.gpu === index,
    })),
  );
  const wholes = nodes.map((node) => ({ what: `node ${node.name}`, nodes: [node], takes: (place: GpuPlace) => place.node === node.name }));
  const zones = [...Map.groupBy(nodes, ({ zone }) => zone)].flatMap(([zone, members]) => {
    const names = new Set(members.map(({ name }) => name));
    return zone === null ? [] : [{ what: `zone ${zone}`, nodes: members, takes: ({ node }: GpuPlace) => names.has(node) }];
  });
  const gpuCount = nodes.reduce((count, node) => count + node.gpus.length, 0);
  const lostCount = ({ nodes: near, takes }: Loss): number =>
    near.reduce((count, node) => count + node.gpus.filter(({ index }) => takes({ node: node.name, gpu: index })).length, 0);
  return [...gpus, ...wholes, ...zones].filter((loss) => lostCount(loss) < gpuCount);
}

const gpuCountAfter = (loss: Loss, node: GpuNode): number =>
  loss.nodes.includes(node) ? node.gpus.filter(({ index }) => !loss.takes({ node: node.name, gpu: index })).length : node.gpus.length;

interface Standing {
  readonly config: HotStandbyConfig;
  readonly instances: readonly {
    readonly level: Level;
    readonly isAwake: boolean;
    readonly node: GpuNode;
    readonly places: readonly GpuPlace[];
  }[];
}

/** Services by each node that has a hot instance of theirs: the others lose nothing with it that anybody waits for. */
function standingsByNode({ configs, nodes, placements }: Fleet): ReadonlyMap<NodeName, readonly Standing[]> {
  const known = new Map(nodes.map((node) => [node.name, node]));
  const found = new Map<NodeName, Standing[]>();
  for (const config of configs) {
    const instances = [...desiredInstances(config), ...reserveInstances(config)].flatMap(({ name, level, rest }) => {
      const places = placements.get(name) ?? [];
      const node = places[0] === undefined ? undefined : known.get(places[0].node);
      return node === undefined ? [] : [{ level, isAwake: level !== "cold" && rest === "awake", node, places }];
    });
    const standing = { config, instances };
    const hotNodes = new Set(instances.flatMap(({ level, node }) => (level === "hot" ? [node.name] : [])));
    for (const node of hotNodes) found.set(node, [...(found.get(node) ?? []), standing]);
  }
  return found;
}

/** How one service comes back: who takes over, or which weights move over which links. */
interface WayBack {
  readonly config: HotStandbyConfig;
  readonly lostRatio: number;
  /** Instances that are awake and left. */
  readonly takers: number;
  /** All that begin; the first that is there serves. */
  readonly moves: readonly WeightsMove[];
  /** false = it may begin on one of several nodes, and none of their links is known to be the one. */
  readonly isQueued: boolean;
}

/** null = no hot instance of it is lost. */
function wayBack({ config, instances }: Standing, loss: Loss, nodes: readonly GpuNode[]): WayBack | null {
  const hot = instances.filter(({ level }) => level === "hot");
  const left = instances.filter(({ places }) => !places.some(loss.takes));
  const hotLeft = left.filter(({ level }) => level === "hot").length;
  if (hotLeft === hot.length) return null;
  const lost = { config, lostRatio: (hot.length - hotLeft) / hot.length };
  const takers = hotLeft > 0 ? hotLeft : left.filter(({ isAwake }) => isAwake).length;
  if (takers > 0) return { ...lost, takers, moves: [], isQueued: false };
  const sleepers = mayActivate(config) ? left.filter(({ level }) => level === "warm") : [];
  if (sleepers.length > 0) return { ...lost, takers, moves: sleepers.map(({ node }) => wakeOn(config, node)), isQueued: true };
  const reserve = mayActivate(config) ? left.filter(({ level }) => level === "cold") : [];
  if (reserve.length > 0) return { ...lost, takers, moves: reserve.map(({ node }) => loadOn(config, node)), isQueued: true };
  const open = restartNodes(config, loss, nodes);
  const fastest = fastestOf(open.map((node) => loadOn(config, node)));
  return { ...lost, takers, moves: fastest === null ? [] : [fastest], isQueued: open.length === 1 };
}

/** Where a dead instance may be started again; whether there is room is another matter (condition PromiseUnbacked). */
function restartNodes({ hot, warm, model }: HotStandbyConfig, loss: Loss, nodes: readonly GpuNode[]): readonly GpuNode[] {
  const isOpen = (node: GpuNode): boolean => matchesNode(node, hot) || (warm !== null && matchesNode(node, warm));
  return nodes.filter((node) => isOpen(node) && gpuCountAfter(loss, node) >= model.tensorParallelSize);
}

function timeOf(one: WayBack, touched: readonly WayBack[]): RecoveryTime | null {
  const { config, lostRatio, takers } = one;
  const prefill = prefillOf(config, { lostRatio, takers: Math.max(1, takers) });
  if (takers > 0) return { move: null, ...ALONE, prefill };
  const ways = one.moves.map((move): RecoveryTime => {
    const ahead = one.isQueued ? touched.filter((other) => other !== one && comesFirst(other, one) && isOver(other, move)) : [];
    const queuedMs = ahead.reduce((total, other) => total + movesOver(other, move), 0);
    const { besideMs, beside } = besideOf(one, move, { touched, queuedMs });
    return { move, queuedMs, behind: ahead.map((other) => other.config.name), besideMs, beside, prefill };
  });
  return ways.reduce<RecoveryTime | null>((best, way) => (best === null || endMs(way) < endMs(best) ? way : best), null);
}

/** Of the cheaper ones, one may have been found before. All that goes over a link until the last of the dearer ones is done is theirs and its own. */
function besideOf(
  one: WayBack,
  move: WeightsMove,
  { touched, queuedMs }: { readonly touched: readonly WayBack[]; readonly queuedMs: number },
): Pick<RecoveryTime, "besideMs" | "beside"> {
  const cheaper = one.isQueued ? touched.filter((other) => other !== one && !comesFirst(other, one) && isOver(other, move)) : [];
  const largestMs = (other: WayBack): number => Math.max(...other.moves.filter(sameLink(move)).map(transferMs));
  const largest = cheaper.reduce<WayBack | null>(
    (best, other) => (best === null || largestMs(other) > largestMs(best) ? other : best),
    null,
  );
  if (largest === null) return { besideMs: 0, beside: null };
  return { besideMs: Math.min(largestMs(largest), transferMs(move) + queuedMs), beside: largest.config.name };
}

const endMs = ({ queuedMs, besideMs, move }: RecoveryTime): number => queuedMs + besideMs + (move === null ? 0 : moveMs(move));

/** The order of src/gateway/waker.ts and src/controllers/lease-order.ts: by tier, then by priority; an equal one may come first. */
const comesFirst = (other: WayBack, one: WayBack): boolean =>
  TIER_ORDER[other.config.tier] - TIER_ORDER[one.config.tier] < 0 ||
  (other.config.tier === one.config.tier && other.config.priority >= one.config.priority);

const sameLink = (move: WeightsMove) => (other: WeightsMove) => other.node === move.node && other.link === move.link;
const isOver = ({ moves, isQueued }: WayBack, move: WeightsMove): boolean => isQueued && moves.some(sameLink(move));
const movesOver = ({ moves }: WayBack, move: WeightsMove): number =>
  moves.filter(sameLink(move)).reduce((total, other) => total + moveMs(other) + VERIFICATION_MS, 0);
