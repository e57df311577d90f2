import { checkEffects } from "../api/check-effects.ts";
import { formatPath } from "../api/finding.ts";
import type { ColdSpec, HotStandbyConfig } from "../api/hot-standby-config.ts";
import { formatBytes } from "../base/bytes.ts";
import type { JsonObject } from "../base/json.ts";
import { formatDuration } from "../base/time.ts";

/** What this service's promise leaves out today, most important first. Honest before complete: each line is a case that costs a request. */
export function promiseExclusions(config: HotStandbyConfig, spec: JsonObject): readonly string[] {
  const idle = checkEffects("HotStandbyConfig", spec).map((finding) => formatPath(finding.at));
  const rto = formatDuration(config.failoverPolicy.rtoTargetMs);
  const hotCount = config.hot.gpuCount / config.model.tensorParallelSize;
  return [
    "A stream whose engine dies after its first byte ends in an explicit error event; it is not continued on another engine.",
    ...(hotCount === 1
      ? [
          `With one hot instance its death is an outage until a warm one that is Ready takes over, or until it has loaded again: the ${rto} hold only in the first case.`,
        ]
      : []),
    ...(config.warm === null ? ["There is no warm instance: when all hot ones are lost, requests wait for a reload."] : []),
    ...(config.warm !== null && config.warm.rest === "asleep"
      ? ["The warm instance stays awake: rest asleep is not acted on yet, so its memory is not freed."]
      : []),
    ...(config.warm !== null && config.warm.lend !== "never" ? ["The reserved bytes are not lent while idle yet: they stand unused."] : []),
    ...(config.cold === null ? [] : [coldLine(config.cold)]),
    ...(config.degraded.some((step) => step.kind === "model")
      ? ["The smaller model of `degraded` does not take over yet; requests queue and are then shed."]
      : []),
    "While the control plane is away, gateways go on serving and ejecting; the dead are restarted when it is back.",
    "The recovery time is not yet checked against the physics of load and wake when the promise is made.",
    ...(idle.length === 0 ? [] : [`Written, and without effect in this version: ${idle.join(", ")}.`]),
  ];
}

const coldLine = (cold: ColdSpec): string =>
  cold.memoryReservedBytes > 0
    ? `Nothing is started from the cold reserve yet: its ${formatBytes(cold.memoryReservedBytes)} are held, no more.`
    : "The cold level holds no memory, and nothing is started from it yet.";
