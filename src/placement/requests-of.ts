import type { ColdSpec, HotStandbyConfig, Level, LevelSpec, WarmSpec } from "../api/hot-standby-config.ts";
import { QOS_TABLE } from "../api/qos-table.ts";
import { instanceName } from "../base/ids.ts";
import type { InstanceRequest } from "./placement-request.ts";

/** Everything that a config wants bound ahead: hot and warm instances, and the cold reserve where bytes are held for it. */
export function requestsOf(config: HotStandbyConfig): readonly InstanceRequest[] {
  const { hot, warm, cold } = config;
  return [
    ...levelRequests(config, "hot", hot),
    ...(warm === null ? [] : levelRequests(config, "warm", warm)),
    ...(cold === null || cold.memoryReservedBytes === 0 ? [] : levelRequests(config, "cold", cold)),
  ];
}

/** Whether a warm instance may ever sleep: it then keeps a copy of its weights in host memory from the start. */
const isSleeper = (warm: WarmSpec): boolean => warm.rest === "asleep" || warm.lend === "whenIdle";

function levelRequests(config: HotStandbyConfig, level: Level, spec: LevelSpec | ColdSpec): readonly InstanceRequest[] {
  const memberCount = config.model.tensorParallelSize;
  const bytes = splitBytes(spec.memoryReservedBytes, spec.gpuCount);
  // An engine over several GPUs runs in step: a neighbour on one of them would slow all. A reserve runs nothing.
  // Slices of several MIG GPUs make no engine, so what must be isolated in hardware takes whole ones.
  const isExclusive = !spec.isShared || (memberCount > 1 && (level !== "cold" || config.isolation === "strong"));
  const { computePercent, memoryCapBytes } = QOS_TABLE[config.qosClass];
  return Array.from({ length: Math.floor(spec.gpuCount / memberCount) }, (_, index) => ({
    instance: instanceName(`${config.name}-${level}-${index + 1}`),
    tenant: config.tenant,
    service: config.name,
    level,
    tier: config.tier,
    priority: config.priority,
    isolation: config.isolation,
    mayBeOversold: config.isQosClassExplicit && config.qosClass === "bronze",
    computePercent: isExclusive ? 100 : computePercent,
    capBytes: config.isQosClassExplicit && !isExclusive ? memoryCapBytes : null,
    memberBytes: bytes.slice(index * memberCount, (index + 1) * memberCount),
    isExclusive,
    nodeSelector: spec.nodeSelector,
    capacityType: spec.capacityType,
    hostBytes: level === "warm" && config.warm !== null && isSleeper(config.warm) ? config.model.weightsBytes : 0,
  }));
}

/** Whole bytes that add up to `bytes`; what does not divide goes to the first. */
export function splitBytes(bytes: number, partCount: number): readonly number[] {
  const each = Math.floor(bytes / partCount);
  return Array.from({ length: partCount }, (_, index) => (index === 0 ? bytes - each * (partCount - 1) : each));
}
