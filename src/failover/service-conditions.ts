import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import { formatConflict } from "../api/reservation-conflict.ts";
import type { Condition } from "../api/resource.ts";
import type { InstanceStatus } from "../api/service-status.ts";
import { isRoutable } from "../routing/build-table.ts";
import type { Placement } from "./instance-look.ts";

type Fact = Omit<Condition, "lastTransitionTime">;

/** What holds of a service now, in Kubernetes form; a condition that keeps its status keeps its transition time. */
export function serviceConditions(
  seen: {
    readonly config: HotStandbyConfig;
    readonly hotCount: number;
    readonly instances: readonly InstanceStatus[];
    readonly placements: readonly Placement[];
  },
  before: readonly Condition[],
  at: string,
): readonly Condition[] {
  const facts = [
    readiness(seen),
    redundancy(seen),
    tierInferred(seen.config),
    promise(seen.config, seen.hotCount),
    placeability(seen.placements),
    ...reservation(seen.config),
  ];
  return facts.map((fact) => {
    const old = before.find((condition) => condition.type === fact.type);
    return { ...fact, lastTransitionTime: old !== undefined && old.status === fact.status ? old.lastTransitionTime : at };
  });
}

function readiness(seen: { readonly instances: readonly InstanceStatus[] }): Fact {
  const ready = seen.instances.filter((instance) => isRoutable(instance.state));
  const message = `${ready.length} of ${seen.instances.length} instances take requests.`;
  return ready.length > 0
    ? { type: "Ready", status: "True", reason: "Serving", message }
    : { type: "Ready", status: "False", reason: "NothingReady", message };
}

function redundancy(seen: { readonly hotCount: number; readonly instances: readonly InstanceStatus[] }): Fact {
  const readyHot = seen.instances.filter((instance) => instance.level === "hot" && isRoutable(instance.state)).length;
  const message = `${readyHot} of ${seen.hotCount} hot instances take requests.`;
  return readyHot < seen.hotCount
    ? { type: "RedundancyLost", status: "True", reason: "HotMissing", message }
    : { type: "RedundancyLost", status: "False", reason: "AllHotReady", message };
}

function tierInferred(config: HotStandbyConfig): Fact {
  return config.isTierInferred
    ? {
        type: "TierInferred",
        status: "True",
        reason: "FromRtoTarget",
        message: `spec.tier is absent: ${config.tier} follows from rtoTarget.`,
      }
    : { type: "TierInferred", status: "False", reason: "TierGiven", message: `spec.tier is ${config.tier}.` };
}

/** What would take over when every hot instance is gone? */
function promise(config: HotStandbyConfig, hotCount: number): Fact {
  const type = "PromiseUnbacked";
  if (config.warm !== null) return { type, status: "False", reason: "WarmHeld", message: "A warm instance stands by." };
  if (hotCount > 1) return { type, status: "False", reason: "HotSpare", message: "Another hot instance stands by." };
  if (config.cold !== null && config.cold.memoryReservedBytes > 0) {
    return { type, status: "False", reason: "ColdReserved", message: "GPU memory is reserved for a cold start." };
  }
  const message = "One hot instance, nothing in reserve: if its GPU is lost, a new start depends on what is free then.";
  return { type, status: "True", reason: "NothingReserved", message };
}

function placeability(placements: readonly Placement[]): Fact {
  const refused = placements.flatMap((placement) => (placement.kind === "refused" ? [`${placement.what} ${placement.why}`] : []));
  return refused.length > 0
    ? { type: "Unplaceable", status: "True", reason: "PartitionRefused", message: refused.join(" ") }
    : { type: "Unplaceable", status: "False", reason: "Placed", message: "Every instance has its GPUs, or is being given them." };
}

/** Only of a service that the ConfigMap standby-gpu-reservation has a say in. */
function reservation({ reservation: match }: HotStandbyConfig): readonly Fact[] {
  if (match === null) return [];
  const type = "ReservationConflict";
  const { conflicts, filled } = match;
  if (conflicts.length === 0) {
    return [
      { type, status: "False", reason: "Filled", message: `The reservation gives ${filled.join(", ")}, which the config does not write.` },
    ];
  }
  const told = conflicts.slice(0, CONFLICTS_TOLD_MAX).map(formatConflict).join("; ");
  return [{ type, status: "True", reason: "ConfigWins", message: `The config wins over standby-gpu-reservation: ${told}.` }];
}

const CONFLICTS_TOLD_MAX = 5;
