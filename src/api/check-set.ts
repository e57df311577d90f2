import { formatBytes } from "../base/bytes.ts";
import { problemOf, type Locate, type ProblemFinding } from "./finding.ts";
import { matchesNode } from "./match-node.ts";
import type { GpuNode } from "./gpu-node.ts";
import type { ColdSpec, HotStandbyConfig, LevelSpec } from "./hot-standby-config.ts";
import { nearestName } from "./nearest-name.ts";
import { parseGpuNode } from "./parse-gpu-node.ts";
import { parseHotStandbyConfig } from "./parse-hot-standby-config.ts";
import type { Problem } from "./problem.ts";
import type { ResourceDraft } from "./resource.ts";

/**
 * What only the whole shows: `drafts` is everything that would be stored. Drafts that do not read on their own are left out;
 * `checkDraft` names their problems. `places` finds the text of those that have one, by `kind/name`.
 */
export function checkSet(drafts: readonly ResourceDraft[], places: ReadonlyMap<string, Locate> = new Map()): readonly Problem[] {
  const configs = drafts.filter((draft) => draft.kind === "HotStandbyConfig").flatMap((draft) => valuesOf(parseHotStandbyConfig(draft)));
  const nodes = drafts.filter((draft) => draft.kind === "GPUNode").flatMap((draft) => valuesOf(parseGpuNode(draft)));
  return configs.flatMap((config) => {
    const locate = places.get(`HotStandbyConfig/${config.name}`);
    const findings = [...sameModel(config, configs, places), ...unservedModels(config, configs), ...unplaceable(config, nodes)];
    return findings.map((finding) => problemOf(finding, locate));
  });
}

const valuesOf = <Value>(read: { readonly ok: true; readonly value: Value } | { readonly ok: false }): readonly Value[] =>
  read.ok ? [read.value] : [];

/** The key names the tenant and the model the service: one pair, one service. Adapters are models too. */
function sameModel(
  config: HotStandbyConfig,
  configs: readonly HotStandbyConfig[],
  places: ReadonlyMap<string, Locate>,
): readonly ProblemFinding[] {
  const earlier = configs.slice(0, configs.indexOf(config)).filter((other) => other.tenant === config.tenant);
  for (const name of namesOf(config)) {
    const other = earlier.find((candidate) => namesOf(candidate).includes(name));
    if (other === undefined) continue;
    const place = places.get(`HotStandbyConfig/${other.name}`)?.(["metadata", "name"], "value");
    const where = place?.file ? ` (${place.file}:${place.line})` : "";
    return [
      {
        code: "DUPLICATE_SERVICE",
        at: ["spec", "model", "name"],
        mark: "value",
        what: `Services ${other.name}${where} and ${config.name} of tenant ${config.tenant} both serve the model ${name}.`,
        why: "A request names its tenant by key and its service by model: the two could not be told apart.",
        next: "Give one of them another model.name or another tenant.",
      },
    ];
  }
  return [];
}

const namesOf = ({ model }: HotStandbyConfig): readonly string[] => [model.name, ...model.adapters];

function unservedModels(config: HotStandbyConfig, configs: readonly HotStandbyConfig[]): readonly ProblemFinding[] {
  const served = configs.filter((other) => other.tenant === config.tenant && other.name !== config.name).flatMap((other) => namesOf(other));
  return config.degraded.flatMap((step, index): readonly ProblemFinding[] => {
    if (step.kind !== "model" || served.includes(step.name)) return [];
    const nearest = nearestName(step.name, served);
    return [
      {
        code: "UNSERVED_MODEL",
        at: ["spec", "degraded", index, "name"],
        mark: "value",
        what: `No other service of tenant ${config.tenant} serves ${step.name}.`,
        why: served.length === 0 ? "The tenant has no other service." : `Its other services serve ${served.join(", ")}.`,
        next: nearest === null ? "Add a service with that model, or remove the step." : `Did you mean ${nearest}?`,
      },
    ];
  });
}

/** Levels that no node could ever hold, however empty. Without an inventory nothing can be said. */
function unplaceable(config: HotStandbyConfig, nodes: readonly GpuNode[]): readonly ProblemFinding[] {
  if (nodes.length === 0) return [];
  const levels: readonly (readonly [string, LevelSpec | ColdSpec | null])[] = [
    ["hotStandby", config.hot],
    ["warmStandby", config.warm],
    ["coldStandby", config.cold],
  ];
  return levels.flatMap(([key, level]) => (level === null ? [] : levelProblem(config, key, { level, nodes })));
}

function levelProblem(
  config: HotStandbyConfig,
  key: string,
  { level, nodes }: { readonly level: LevelSpec | ColdSpec; readonly nodes: readonly GpuNode[] },
): readonly ProblemFinding[] {
  const matching = nodes.filter((node) => matchesNode(node, level));
  if (matching.length === 0) return [noNode(key, level, nodes)];
  const perGpuBytes = Math.ceil(level.memoryReservedBytes / level.gpuCount);
  const largestBytes = Math.max(...matching.flatMap((node) => node.gpus.map((gpu) => gpu.memoryBytes)));
  if (perGpuBytes > largestBytes) {
    return [
      {
        code: "LARGER_THAN_GPU",
        at: ["spec", key, "memoryReserved"],
        mark: "value",
        what: `spec.${key} needs ${formatBytes(perGpuBytes)} on each GPU, more than any GPU has.`,
        why: `The largest GPU that it may use has ${formatBytes(largestBytes)}.`,
        next: "Raise gpuCount and model.tensorParallelSize, reserve less, or add a larger GPU.",
      },
    ];
  }
  const size = config.model.tensorParallelSize;
  const widest = Math.max(...matching.map((node) => node.gpus.length));
  if (size <= widest) return [];
  return [
    {
      code: "NO_MATCHING_NODE",
      at: ["spec", "model", "tensorParallelSize"],
      mark: "value",
      what: `spec.model.tensorParallelSize is ${size}, and no node that ${key} may use has so many GPUs.`,
      why: `All GPUs of an instance belong to one node; the widest has ${widest}.`,
      next: `Write at most ${widest}, or add a wider node.`,
    },
  ];
}

function noNode(key: string, level: LevelSpec | ColdSpec, nodes: readonly GpuNode[]): ProblemFinding {
  const entries = Object.entries(level.nodeSelector);
  const failing = entries.find(([name, value]) => !nodes.some((node) => node.labels[name] === value));
  if (failing === undefined) {
    const { capacityType } = level;
    const hasKind = nodes.some((node) => node.capacityType === capacityType);
    return {
      code: "NO_MATCHING_NODE",
      at: ["spec", key, hasKind && entries.length > 0 ? "nodeSelector" : "capacityType"],
      mark: "value",
      what: `No node fits spec.${key}${capacityType === null ? "" : ` with capacityType ${capacityType}`}.`,
      why: hasKind || capacityType === null ? "Each condition fits some node, all together fit none." : `No node is ${capacityType}.`,
      next: "Loosen nodeSelector or capacityType, or add a node.",
    };
  }
  const [name, value] = failing;
  const known = [...new Set(nodes.flatMap((node) => node.labels[name] ?? []))];
  const nearest = nearestName(value, known);
  const nearestLabel = nearestName(name, [...new Set(nodes.flatMap((node) => Object.keys(node.labels)))]);
  const label = known.length === 0 ? `No node has the label ${name}.` : `Nodes have ${known.slice(0, 10).join(", ")}.`;
  const guess = known.length === 0 ? nearestLabel : nearest;
  return {
    code: "NO_MATCHING_NODE",
    at: ["spec", key, "nodeSelector", name],
    mark: "value",
    what: `No node has ${name}: ${value}, which spec.${key} asks for.`,
    why: label,
    next: guess === null ? "Add such a node, or loosen the selector." : `Did you mean ${guess}?`,
  };
}
