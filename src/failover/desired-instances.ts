import { instanceName, serviceName, type InstanceName, type ServiceName } from "../base/ids.ts";
import { oncePer } from "../base/once-per.ts";
import type { HotStandbyConfig, Level, ModelSpec } from "../api/hot-standby-config.ts";
import { hotWeights } from "../routing/build-table.ts";

/** An instance that a config asks for: an engine that shall run. */
export interface DesiredInstance {
  readonly name: InstanceName;
  readonly level: Level;
  readonly weight: number;
  /** GPUs, all of one node. */
  readonly memberCount: number;
  /** How it shall be when nothing needs it: loaded and awake, or loaded and asleep. */
  readonly rest: "awake" | "asleep";
}

/** Hot first, then warm: what stands by all the time. */
export const desiredInstances = oncePer((config: HotStandbyConfig): readonly DesiredInstance[] => {
  const weights = hotWeights(config.traffic.weights, config.hot.gpuCount / config.model.tensorParallelSize);
  const rest = config.warm?.rest === "asleep" ? "asleep" : "awake";
  return [
    ...named(config, { level: "hot", gpuCount: config.hot.gpuCount }).map((hot, index) => ({ ...hot, weight: weights[index] ?? 0 })),
    ...named(config, { level: "warm", gpuCount: config.warm?.gpuCount ?? 0 }).map((warm) => ({ ...warm, rest }) as const),
  ];
});

/** The cold reserve: bytes only, until the ladder wants it started. None without bytes of its own. */
export const reserveInstances = oncePer((config: HotStandbyConfig): readonly DesiredInstance[] => {
  const isHeld = config.cold !== null && config.cold.memoryReservedBytes > 0;
  return named(config, { level: "cold", gpuCount: isHeld ? (config.cold?.gpuCount ?? 0) : 0 });
});

function named(config: HotStandbyConfig, of: { readonly level: Level; readonly gpuCount: number }): readonly DesiredInstance[] {
  const memberCount = config.model.tensorParallelSize;
  return Array.from({ length: Math.floor(of.gpuCount / memberCount) }, (_, index) => ({
    name: instanceName(`${config.name}-${of.level}-${index + 1}`),
    level: of.level,
    weight: 0,
    memberCount,
    rest: "awake",
  }));
}

/** The service that an instance's name speaks of, whether or not that service exists; null for a foreign name. */
export function serviceOfInstance(name: InstanceName): ServiceName | null {
  const service = /^(.+)-(?:hot|warm|cold)-\d+$/.exec(name)?.[1];
  return service === undefined ? null : serviceName(service);
}

/**
 * All that decides which tokens an engine gives, and how it was started. Equal text, equal tokens.
 * Arguments count as a whole: which of them touch sampling is the engine's secret.
 */
export const fingerprintOf = oncePer((model: ModelSpec): string => {
  const parts = [`${model.engine}:${model.name}@${model.revision}`, `weights=${model.weightsBytes}`, `context=${model.contextLength}`];
  if (model.tensorParallelSize > 1) parts.push(`tensorParallel=${model.tensorParallelSize}`);
  if (model.image !== null) parts.push(`image=${model.image}`);
  if (model.command.length > 0) parts.push(`command=${JSON.stringify(model.command)}`);
  if (model.args.length > 0) parts.push(`args=${JSON.stringify(model.args)}`);
  if (model.adapters.length > 0) parts.push(`adapters=${JSON.stringify(model.adapters)}`);
  return parts.join(" ");
});
