import { instanceName, serviceName, type InstanceName, type ServiceName } from "../base/ids.ts";
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

/** Hot first, then warm. A cold reserve is bytes only: nothing of it runs. */
export function desiredInstances(config: HotStandbyConfig): readonly DesiredInstance[] {
  const memberCount = config.model.tensorParallelSize;
  const hotCount = config.hot.gpuCount / memberCount;
  const warmCount = (config.warm?.gpuCount ?? 0) / memberCount;
  const weights = hotWeights(config.traffic.weights, hotCount);
  const named = (level: Level, index: number, weight: number): DesiredInstance => ({
    name: instanceName(`${config.name}-${level}-${index + 1}`),
    level,
    weight,
    memberCount,
    rest: "awake",
  });
  return [
    ...Array.from({ length: hotCount }, (_, index) => named("hot", index, weights[index] ?? 0)),
    ...Array.from({ length: warmCount }, (_, index) => named("warm", index, 0)),
  ];
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
export function fingerprintOf(model: ModelSpec): string {
  const parts = [`${model.engine}:${model.name}@${model.revision}`, `weights=${model.weightsBytes}`, `context=${model.contextLength}`];
  if (model.tensorParallelSize > 1) parts.push(`tensorParallel=${model.tensorParallelSize}`);
  if (model.image !== null) parts.push(`image=${model.image}`);
  if (model.command.length > 0) parts.push(`command=${JSON.stringify(model.command)}`);
  if (model.args.length > 0) parts.push(`args=${JSON.stringify(model.args)}`);
  if (model.adapters.length > 0) parts.push(`adapters=${JSON.stringify(model.adapters)}`);
  return parts.join(" ");
}
