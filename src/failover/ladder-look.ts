import type { InstanceName, MonotonicMs, WallMs } from "../base/ids.ts";
import type { FailoverRecord, LadderPlace } from "../api/failover-record.ts";
import type { HotStandbyConfig, Level } from "../api/hot-standby-config.ts";
import type { InstanceStatus, ServiceStatus } from "../api/service-status.ts";
import { isRoutable, isWakeable } from "../routing/build-table.ts";
import type { CapacitySample } from "./capacity-rto.ts";
import type { DesiredInstance } from "./desired-instances.ts";
import type { EpisodeView } from "./episode-view.ts";
import { gpuKey, type Placement } from "./instance-look.ts";
import type { InstanceMemo } from "./restart-memo.ts";

/** All that the ladder decides from: instances as this look found them, everything else as it was stored. */
export interface LadderLook {
  readonly config: HotStandbyConfig;
  readonly before: ServiceStatus;
  readonly instances: readonly InstanceStatus[];
  readonly desired: readonly DesiredInstance[];
  readonly reserve: readonly DesiredInstance[];
  readonly placements: ReadonlyMap<InstanceName, Placement>;
  /** `node/gpu` of GPUs that are lost or kept away from. */
  readonly shunnedGpus: ReadonlySet<string>;
  readonly lostGpus: ReadonlySet<string>;
  readonly fingerprint: string;
  readonly knownAnswer: string | null;
  readonly memos: ReadonlyMap<InstanceName, InstanceMemo>;
  /** Every gateway that is joined has acknowledged the table of `before`. */
  readonly isAcknowledged: boolean;
  /** This control plane has just begun, and nothing of the service runs: a start, not a failover. */
  readonly isPlatformStart: boolean;
  /** Why nothing is moved of free will now; null = it may be. */
  readonly freeze: { readonly why: string } | null;
  readonly episodes: readonly EpisodeView[];
  readonly requests: readonly FailoverRecord[];
  readonly records: ReadonlyMap<string, FailoverRecord>;
  readonly capacitySamples: readonly CapacitySample[];
  /** Over all gateways by their newest counts. */
  readonly inFlight: number;
  readonly nowMs: MonotonicMs;
  readonly wallMs: WallMs;
}

export const PLACES: readonly LadderPlace[] = ["hot", "warm", "cold", "degraded"];
export const isBelow = (place: LadderPlace, other: LadderPlace): boolean => PLACES.indexOf(place) > PLACES.indexOf(other);

export const onLevel = (look: LadderLook, level: Level): readonly InstanceStatus[] =>
  look.instances.filter((instance) => instance.level === level);

/** Somebody on that rung takes requests. */
export const isUsable = (look: LadderLook, place: LadderPlace): boolean =>
  place !== "degraded" && onLevel(look, place).some((instance) => isRoutable(instance.state));

export const topUsable = (look: LadderLook): Level | null =>
  (["hot", "warm", "cold"] as const).find((level) => isUsable(look, level)) ?? null;

export const isEveryHotReady = (look: LadderLook): boolean => {
  const ready = onLevel(look, "hot").filter((instance) => instance.state === "Ready").length;
  return ready > 0 && ready >= look.desired.filter((instance) => instance.level === "hot").length;
};

/** What was promised stands again: every hot instance, or a started reserve in its place. */
export const isRedundant = (look: LadderLook): boolean => {
  const standing = look.instances.filter((instance) => instance.level !== "warm" && isRoutable(instance.state)).length;
  return standing > 0 && standing >= look.desired.filter((instance) => instance.level === "hot").length;
};

/** Its GPUs are its own, and none of them is lost or blamed. */
export function hasPlace(look: LadderLook, name: InstanceName): boolean {
  const placement = look.placements.get(name);
  return placement?.kind === "bound" && !placement.members.some((member) => look.shunnedGpus.has(gpuKey(member)));
}

/**
 * A start of everything, the first or that of a whole platform: it belongs to hot, however late hot is. Later looks tell it by a rung
 * below hot that no recorded move led to.
 */
export function isStarting(look: LadderLook): boolean {
  const { before } = look;
  if (before.epoch === 0 || look.isPlatformStart) return true;
  return before.level === "cold" && before.openMove === null && before.pinned === null && onLevel(look, "cold").length === 0;
}

/** It is being started, or will be without any further decision. */
export function isComing(look: LadderLook, instance: InstanceStatus): boolean {
  switch (instance.state) {
    case "Starting":
    case "Verifying":
      return !instance.members.some((member) => look.lostGpus.has(gpuKey(member)));
    case "Pending":
    case "Failed":
    case "Fenced":
    case "Draining":
      return hasPlace(look, instance.name);
    case "Asleep":
    case "Waking":
    case "Ready":
    case "Suspect":
      return false;
  }
}

/** Asleep, and a wake can be verified. */
export const canBeWoken = (look: LadderLook, instance: InstanceStatus): boolean =>
  isWakeable(instance, { knownAnswer: look.knownAnswer, knownAnswerOf: look.fingerprint });

/** A wake of it is at work, or it is just going to sleep and needs no more than to be kept from it. */
export const isWaking = (look: LadderLook, instance: InstanceStatus): boolean =>
  instance.state === "Waking" || (instance.state === "Draining" && instance.level === "warm" && isSleeper(look, instance));

const isSleeper = (look: LadderLook, { name, fingerprint }: InstanceStatus): boolean =>
  fingerprint === look.fingerprint && look.desired.some((instance) => instance.name === name && instance.rest === "asleep");
