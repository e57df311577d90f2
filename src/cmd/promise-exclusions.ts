import { checkEffects } from "../api/check-effects.ts";
import { formatPath } from "../api/finding.ts";
import type { ColdSpec, FailoverPolicy, HotStandbyConfig } from "../api/hot-standby-config.ts";
import { formatBytes } from "../base/bytes.ts";
import type { JsonObject } from "../base/json.ts";
import { formatDuration } from "../base/time.ts";

/** What this service's promise leaves out today, most important first. Honest before complete: each line is a case that costs a request. */
export function promiseExclusions(config: HotStandbyConfig, spec: JsonObject): readonly string[] {
  const idle = checkEffects("HotStandbyConfig", spec).map((finding) => formatPath(finding.at));
  return [
    "A stream whose engine dies after its first byte ends in an explicit error event; it is not continued on another engine.",
    ...standbyLines(config),
    ...coldLines(config),
    ...policyLines(config.failoverPolicy),
    ...(config.degraded.some((step) => step.kind === "model")
      ? ["The model of `degraded` answers only in the free half of its own service's batches: without room there requests are shed."]
      : []),
    "The promise is worked out for the loss of one GPU, one node or one zone at a time, and not for several at once.",
    ...(idle.length === 0 ? [] : [`Written, and without effect in this version: ${idle.join(", ")}.`]),
  ];
}

function standbyLines({ hot, warm, model, failoverPolicy }: HotStandbyConfig): readonly string[] {
  const rto = formatDuration(failoverPolicy.rtoTargetMs);
  const isSingle = hot.gpuCount / model.tensorParallelSize === 1;
  if (warm === null) {
    return [
      isSingle
        ? `With one hot instance and no warm instance its death is an outage until a load has ended: the ${rto} hold only if that is faster.`
        : "There is no warm instance: when all hot ones are lost, requests wait for a load.",
    ];
  }
  const asleep = `The warm instance sleeps: when no hot one serves, requests wait for a wake that moves ${formatBytes(model.weightsBytes)} to the GPU, behind other wakes over the same link.`;
  return [
    ...(warm.rest === "asleep" ? [asleep] : []),
    ...(warm.lend === "never" ? [] : ["The reserved bytes are not lent while idle yet: they stand unused."]),
  ];
}

function coldLines({ cold, model }: HotStandbyConfig): readonly string[] {
  if (cold === null) return ["There is no cold level: below warm nothing is held, and a lost GPU is replaced only where another one fits."];
  return [`${coldHeld(cold)} A cold start loads ${formatBytes(model.weightsBytes)} and needs the control plane.`];
}

const coldHeld = (cold: ColdSpec): string =>
  cold.memoryReservedBytes > 0
    ? `The cold reserve holds ${formatBytes(cold.memoryReservedBytes)}.`
    : "The cold level holds no memory: a dead instance restarts in its place, and with its GPU lost it depends on what is free.";

function policyLines(policy: FailoverPolicy): readonly string[] {
  if (!policy.isAutomatic)
    return ["autoFailover is false: wakes, cold starts and failback are only recorded; an operator must ask for them."];
  const { maxFailoverCount: max, windowMs } = policy;
  if (max === 0) return ["maxFailoverCount is 0: nothing is woken or started for service; only what is Ready serves."];
  return [
    `After ${max} automatic moves within ${formatDuration(windowMs)} comes Hold: only what is Ready serves, until the window ends or \`tidegate resume\`.`,
  ];
}
