import { epoch, uid, type InstanceName, type MonotonicMs, type Uid, type WallMs } from "../base/ids.ts";
import { formatWall, parseWall } from "../base/time.ts";
import type { FailoverRecord } from "../api/failover-record.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { InstanceStatus, ServicePhase, ServiceStatus } from "../api/service-status.ts";
import { buildRouteTable, isRoutable, type TableContext } from "../routing/build-table.ts";
import { addHistory, type Note } from "./add-history.ts";
import type { CapacitySample } from "./capacity-rto.ts";
import { decideInstance } from "./decide-instance.ts";
import { desiredInstances, fingerprintOf, type DesiredInstance } from "./desired-instances.ts";
import type { EpisodeView } from "./episode-view.ts";
import {
  gpuKey,
  type InstanceAction,
  type InstanceDecision,
  type InstanceLook,
  type Quarantine,
  type ServiceLook,
} from "./instance-look.ts";
import { NEW_MEMO, type InstanceMemo } from "./restart-memo.ts";
import { serviceConditions } from "./service-conditions.ts";

/** One look at a service: everything read before anything is decided. */
export interface ServiceWorld {
  readonly config: HotStandbyConfig;
  /** The resource's: grows when the spec changes. */
  readonly specGeneration: number;
  readonly status: ServiceStatus | null;
  readonly seen: ReadonlyMap<InstanceName, SeenInstance>;
  readonly table: TableContext;
  readonly isAcknowledged: boolean;
  /** null = the driver did not answer: nothing is known to be lost, nothing known to be well again. */
  readonly lostGpus: ReadonlySet<string> | null;
  readonly nowMs: MonotonicMs;
  readonly wallMs: WallMs;
  /** Unguessable, new at each look: becomes part of the uid of instances that are new. */
  readonly freshToken: string;
  /** The newest of each loss that a gateway saw, those of the last minutes. */
  readonly episodes: readonly EpisodeView[];
  /** An operator's, not finished: status null or phase Requested or Running; oldest first. */
  readonly requests: readonly FailoverRecord[];
  /** Stored ones of this service that are not finished, the open move's, and those that carry its epoch, by name. */
  readonly records: ReadonlyMap<string, FailoverRecord>;
  /** Oldest first, of the last six minutes. */
  readonly capacitySamples: readonly CapacitySample[];
  /** Over all gateways by their newest counts. */
  readonly inFlight: number;
}
export type SeenInstance = Omit<InstanceLook, "desired" | "recorded" | "wish" | "isUrgent">;

export interface ServiceDecision {
  readonly next: ServiceStatus;
  readonly actions: readonly InstanceAction[];
  readonly memos: ReadonlyMap<InstanceName, InstanceMemo>;
  /** FailoverRecords as they shall be, spec and status: made or updated where the stored ones differ. */
  readonly records: readonly FailoverRecord[];
  /** What was added to the history. */
  readonly notes: readonly Note[];
  readonly lookAgainAfterMs: number | null;
}

/** A GPU blamed for failed starts is tried again after that long; a lost one when the driver sees it well. */
export const QUARANTINE_MS = 60_000;

const UNSEEN: SeenInstance = {
  placement: { kind: "waiting" },
  running: null,
  task: null,
  exit: null,
  report: null,
  activation: null,
  memo: NEW_MEMO,
};

/** What a service's status becomes, and what is to be done once it is stored. Pure; run twice, it decides once. */
export function decideService(world: ServiceWorld): ServiceDecision {
  const desired = desiredInstances(world.config);
  const before = world.status ?? emptyStatus(world.config);
  const fingerprint = fingerprintOf(world.config.model);
  const quarantined = keepQuarantined(before, world);
  const service: Omit<ServiceLook, "expectedAnswer"> = {
    service: world.config.name,
    nowMs: world.nowMs,
    fingerprint,
    rolls: rollsNext(desired, before, fingerprint, world),
    isAcknowledged: world.isAcknowledged,
    lostGpus: world.lostGpus ?? new Set(),
    quarantinedGpus: new Set(quarantined.map(gpuKey)),
    wakeWithinMs: 3_000,
    isFull: false,
    freshUid: (name): Uid => uid(`${name}.${world.freshToken}`),
  };
  let knownAnswer = before.knownAnswerOf === fingerprint ? before.knownAnswer : null;
  const decided: { readonly name: InstanceName; readonly result: InstanceDecision }[] = [];
  for (const look of looks(desired, before, world)) {
    const result = decideInstance(look.look, { ...service, expectedAnswer: knownAnswer });
    knownAnswer ??= result.answer;
    decided.push({ name: look.name, result });
  }
  const strangers = strayEngines(desired, before, world);
  const results = decided.map(({ result }) => result);
  const notes = [...results.flatMap((result) => result.notes), ...strangers.map(strayNote)];
  const at = formatWall(world.wallMs);
  const stored =
    knownAnswer === null
      ? { knownAnswer: before.knownAnswer, knownAnswerOf: before.knownAnswerOf }
      : { knownAnswer, knownAnswerOf: fingerprint };
  const after: ServiceStatus = {
    ...before,
    ...stored,
    instances: results.flatMap((result) => (result.next === null ? [] : [result.next])),
    observedGeneration: world.specGeneration,
    failovers: { ...before.failovers, max: world.config.failoverPolicy.maxFailoverCount },
    rto: { ...before.rto, targetMs: world.config.failoverPolicy.rtoTargetMs },
    quarantined: [...quarantined, ...results.flatMap((result) => result.quarantine).map((entry) => quarantineEntry(entry, at))],
    history: addHistory(before.history, notes, at),
  };
  return {
    next: settle(after, before, desired, world),
    actions: [...results.flatMap((result) => result.actions), ...strangers.map((instance) => ({ type: "fence" as const, instance }))],
    memos: new Map(decided.map(({ name, result }) => [name, result.memo])),
    records: [],
    notes,
    lookAgainAfterMs: soonest(results.map((result) => result.lookAgainAfterMs)),
  };
}

function emptyStatus(config: HotStandbyConfig): ServiceStatus {
  return {
    phase: "ColdStarting",
    level: "degraded",
    pinned: null,
    soakSince: null,
    openMove: null,
    epoch: epoch(0),
    revision: 0,
    observedGeneration: 0,
    instances: [],
    failovers: { inWindow: 0, max: config.failoverPolicy.maxFailoverCount, windowStart: null },
    rto: { targetMs: config.failoverPolicy.rtoTargetMs, lastMs: null, worstMs: null },
    knownAnswer: null,
    knownAnswerOf: null,
    quarantined: [],
    history: [],
    conditions: [],
  };
}

/** Everything that follows from the instances: level, epoch, phase, conditions, and whether gateways must hear of it. */
function settle(after: ServiceStatus, before: ServiceStatus, desired: readonly DesiredInstance[], world: ServiceWorld): ServiceStatus {
  const hotCount = desired.filter((instance) => instance.level === "hot").length;
  const level = levelOf(after.instances);
  const placements = desired.map((instance) => (world.seen.get(instance.name) ?? UNSEEN).placement);
  const at = formatWall(world.wallMs);
  const moved: ServiceStatus = {
    ...after,
    level,
    epoch: level === before.level ? before.epoch : epoch(before.epoch + 1),
    phase: phaseOf(level, after.instances, { hotCount, hasServed: before.epoch > 0 }),
    conditions: serviceConditions({ config: world.config, hotCount, instances: after.instances, placements }, before.conditions, at),
  };
  const isNews = world.status === null || moved.observedGeneration !== before.observedGeneration || !isSameTable(moved, before, world);
  return isNews ? { ...moved, revision: before.revision + 1 } : moved;
}

const isSameTable = (one: ServiceStatus, other: ServiceStatus, world: ServiceWorld): boolean =>
  one.epoch === other.epoch && tableText(one, world) === tableText(other, world);
const tableText = (status: ServiceStatus, world: ServiceWorld): string =>
  JSON.stringify(buildRouteTable(world.config, { ...status, revision: 0 }, world.table));

function levelOf(instances: readonly InstanceStatus[]): ServiceStatus["level"] {
  const serving = (["hot", "warm", "cold"] as const).find((level) =>
    instances.some((instance) => instance.level === level && isRoutable(instance.state)),
  );
  return serving ?? "degraded";
}

function phaseOf(
  level: ServiceStatus["level"],
  instances: readonly InstanceStatus[],
  facts: { readonly hotCount: number; readonly hasServed: boolean },
): ServicePhase {
  if (level === "degraded") return facts.hasServed ? "Degraded" : "ColdStarting";
  const readyHot = instances.filter((instance) => instance.level === "hot" && isRoutable(instance.state)).length;
  return readyHot >= facts.hotCount ? "Normal" : "Restoring";
}

/** In this order: what the config asks for, then what it asks for no longer. */
function looks(
  desired: readonly DesiredInstance[],
  before: ServiceStatus,
  world: ServiceWorld,
): readonly { readonly name: InstanceName; readonly look: InstanceLook }[] {
  const recorded = new Map(before.instances.map((instance) => [instance.name, instance]));
  const wanted = new Set(desired.map((instance) => instance.name));
  const retired = before.instances.filter((instance) => !wanted.has(instance.name));
  const lookAt = (name: InstanceName, asked: DesiredInstance | null) => ({
    name,
    look: {
      ...(world.seen.get(name) ?? UNSEEN),
      desired: asked,
      recorded: recorded.get(name) ?? null,
      wish: "wake" as const,
      isUrgent: false,
    },
  });
  return [...desired.map((instance) => lookAt(instance.name, instance)), ...retired.map((instance) => lookAt(instance.name, null))];
}

/** Engines that run under this service's name although neither config nor status knows them. */
function strayEngines(desired: readonly DesiredInstance[], before: ServiceStatus, world: ServiceWorld): readonly InstanceName[] {
  const known = new Set([...desired.map((instance) => instance.name), ...before.instances.map((instance) => instance.name)]);
  return [...world.seen].flatMap(([name, seen]) =>
    known.has(name) || seen.running === null || seen.task?.kind === "stopping" ? [] : [name],
  );
}
const strayNote = (name: InstanceName): Note => ({
  what: `Ends ${name}.`,
  why: "It runs, but neither the config nor the status knows it.",
});

/** One at a time, warm before hot, the first hot last; never while another instance that could run is not Ready. */
function rollsNext(
  desired: readonly DesiredInstance[],
  before: ServiceStatus,
  fingerprint: string,
  world: ServiceWorld,
): InstanceName | null {
  const recorded = new Map(before.instances.map((instance) => [instance.name, instance]));
  const isSteady = desired.every((instance) => {
    const placement = world.seen.get(instance.name)?.placement.kind;
    return recorded.get(instance.name)?.state === "Ready" || placement === "refused";
  });
  if (!isSteady) return null;
  const last = desired.toReversed().find(({ name }) => {
    const instance = recorded.get(name);
    return instance?.state === "Ready" && instance.fingerprint !== fingerprint;
  });
  return last?.name ?? null;
}

function keepQuarantined(before: ServiceStatus, world: ServiceWorld): ServiceStatus["quarantined"] {
  return before.quarantined.filter((entry) => {
    if (entry.reason === "GpuLost") return world.lostGpus === null || world.lostGpus.has(gpuKey(entry));
    // Another config may start where the last one could not.
    if (before.observedGeneration !== world.specGeneration) return false;
    const since = parseWall(entry.since);
    return since !== null && world.wallMs - since < QUARANTINE_MS;
  });
}

const quarantineEntry = ({ node, gpu, reason }: Quarantine, since: string): ServiceStatus["quarantined"][number] => ({
  node,
  gpu,
  reason,
  since,
});

function soonest(delays: readonly (number | null)[]): number | null {
  const finite = delays.filter((delay) => delay !== null);
  return finite.length === 0 ? null : Math.min(...finite);
}
