import { epoch, uid, type InstanceName, type MonotonicMs, type Uid, type WallMs } from "../base/ids.ts";
import { isSameJson } from "../base/same-json.ts";
import { formatWall } from "../base/time.ts";
import type { AlertRule } from "../api/alert-rules.ts";
import type { FailoverRecord } from "../api/failover-record.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { RouteTable } from "../api/route-table.ts";
import { NO_BURN, NO_FAILBACK, type ServiceStatus } from "../api/service-status.ts";
import { buildRouteTable, isRoutable, type TableContext } from "../routing/build-table.ts";
import { addHistory, type Note } from "./add-history.ts";
import type { CapacitySample } from "./capacity-rto.ts";
import { decideInstance } from "./decide-instance.ts";
import { decideLadder } from "./decide-ladder.ts";
import { decideRecords, isSettled } from "./decide-records.ts";
import { decideWishes, type Wishes } from "./decide-wishes.ts";
import { withoutFuture } from "./clock-set-back.ts";
import { desiredInstances, fingerprintOf, reserveInstances, type DesiredInstance } from "./desired-instances.ts";
import type { EpisodeView } from "./episode-view.ts";
import {
  gpuKey,
  type InstanceAction,
  type InstanceDecision,
  type InstanceLook,
  type Placement,
  type ServiceLook,
} from "./instance-look.ts";
import { keepQuarantined, quarantineEntry } from "./keep-quarantined.ts";
import type { LadderLook } from "./ladder-look.ts";
import { ladderPhase } from "./ladder-phase.ts";
import { NEW_MEMO, type InstanceMemo } from "./restart-memo.ts";
import { rollsNext } from "./rolls-next.ts";
import { rtoAfter } from "./rto-clock.ts";
import { serviceConditions } from "./service-conditions.ts";
import { freezeBy, type Storm } from "./storm.ts";
import type { Vetting } from "./vet-fleet.ts";

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
  /** GPUs that still hold what a dead process had, long after its end; null as above. */
  readonly slowGpus: ReadonlySet<string> | null;
  readonly nowMs: MonotonicMs;
  readonly wallMs: WallMs;
  /** Unguessable, new at each look: becomes part of the uid of instances that are new. */
  readonly freshToken: string;
  /** The newest of each loss that a gateway saw, those of the last minutes. */
  readonly episodes: readonly EpisodeView[];
  /** An operator's, not finished: status null or phase Requested or Running; oldest first. */
  readonly requests: readonly FailoverRecord[];
  /** Stored ones of this service by name: at least all that are not finished, the open move's, and the advised one of the epoch. */
  readonly records: ReadonlyMap<string, FailoverRecord>;
  /** Oldest first, of the last six minutes. */
  readonly capacitySamples: readonly CapacitySample[];
  /** Over all gateways by their newest counts. */
  readonly inFlight: number;
  /** Rules that fire for it now. They are told and move nothing: what a gateway sees of an engine does. */
  readonly alerts: readonly AlertRule[];
  /** What its promise is worth; null = not worked out yet. */
  readonly vetting: Vetting | null;
  /** What befell several services together of late; null = nothing. */
  readonly storm: Storm | null;
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

const UNSEEN: SeenInstance = {
  placement: { kind: "waiting" },
  running: null,
  task: null,
  exit: null,
  report: null,
  activation: null,
  violation: null,
  memo: NEW_MEMO,
};

/** What a service's status becomes, and what is to be done once it is stored. Pure; run twice, it decides once. */
export function decideService(world: ServiceWorld): ServiceDecision {
  const { config } = world;
  const before = withoutFuture(world.status ?? emptyStatus(config), world.wallMs);
  const fingerprint = fingerprintOf(config.model);
  const desired = desiredInstances(config);
  const reserve = reserveInstances(config);
  const quarantined = keepQuarantined(before, world);
  const placements = placementsOf(world);
  const freeze = freezeBy(world.storm, { soakMs: config.failoverPolicy.failback.soakMs, nowMs: world.nowMs });
  const service = serviceLook(world, { before, desired, placements, fingerprint, quarantined, freeze });
  const known = before.knownAnswerOf === fingerprint ? before.knownAnswer : null;
  // Twice from the same facts: what is there, for the ladder to see; then again with what the ladder wants of each.
  const standing = reserve.filter(({ name }) => before.instances.some((instance) => instance.name === name));
  const found = decideInstances([...desired, ...standing], before, world, { service, known, wishes: null });
  const lookAt = ladderLook(world, { before, desired, reserve, placements, fingerprint, found, service, freeze });
  const ladder = decideLadder(lookAt);
  const wishes = decideWishes(lookAt, ladder);
  const running = [...desired, ...reserve.filter(({ name }) => wishes.reserve.has(name))];
  const decided = decideInstances(running, before, world, { service, known, wishes });
  const strangers = strayEngines(new Set(decided.results.map(({ name }) => name)), world);
  const notes = [...decided.results.flatMap(({ result }) => result.notes), ...ladder.notes, ...wishes.notes, ...strangers.map(strayNote)];
  const at = formatWall(world.wallMs);
  const history = addHistory(before.history, notes, at);
  const after: ServiceStatus = {
    ...before,
    ...(decided.known === null ? {} : { knownAnswer: decided.known, knownAnswerOf: fingerprint }),
    level: ladder.level,
    pinned: ladder.pinned,
    soakSince: ladder.soakSince,
    failback: ladder.failback,
    errorBudget: ladder.errorBudget,
    openMove: ladder.openMove,
    epoch: ladder.epoch,
    phase: ladderPhase(lookAt, ladder),
    instances: decided.results.flatMap(({ result }) => (result.next === null ? [] : [result.next])),
    observedGeneration: world.specGeneration,
    failovers: ladder.failovers,
    rto: rtoAfter(before.rto, world.episodes, config.failoverPolicy.rtoTargetMs),
    quarantined: [...quarantined, ...decided.results.flatMap(({ result }) => result.quarantine).map((entry) => quarantineEntry(entry, at))],
    history,
  };
  const seen = { ...world, placements: running.map(({ name }) => placements.get(name)), ladder, freeze };
  const conditions = serviceConditions({ ...seen, status: after }, at);
  return {
    next: withRevision({ ...after, conditions }, before, world),
    actions: [
      ...decided.results.flatMap(({ result }) => result.actions),
      ...strangers.map((instance) => ({ type: "fence" as const, instance })),
    ],
    memos: new Map(decided.results.map(({ name, result }) => [name, result.memo])),
    records: decideRecords(lookAt, ladder, history),
    notes,
    lookAgainAfterMs: soonest([
      ...decided.results.map(({ result }) => result.lookAgainAfterMs),
      ladder.lookAgainAfterMs,
      wishes.lookAgainAfterMs,
      changesUnheard(after) ? UNHEARD_LOOK_MS : null,
      freeze?.leftMs ?? null,
    ]),
  };
}

function placementsOf({ seen }: ServiceWorld): ReadonlyMap<InstanceName, Placement> {
  const placements = new Map<InstanceName, Placement>();
  for (const [name, { placement }] of seen) placements.set(name, placement);
  return placements;
}

const UNHEARD_LOOK_MS = 500;
/** While a move's clock runs, its record may still change by what gateways and the clock say; and no event tells of memory that a driver frees. */
const changesUnheard = ({ openMove, quarantined }: ServiceStatus): boolean =>
  openMove !== null || quarantined.some(({ reason }) => reason === "SlowTeardown");

function serviceLook(
  world: ServiceWorld,
  facts: Pick<LadderLook, "before" | "desired" | "placements" | "fingerprint" | "freeze"> & {
    readonly quarantined: ServiceStatus["quarantined"];
  },
): Omit<ServiceLook, "expectedAnswer"> {
  return {
    service: world.config.name,
    nowMs: world.nowMs,
    wallMs: world.wallMs,
    isSpecNew: facts.before.observedGeneration !== world.specGeneration,
    fingerprint: facts.fingerprint,
    rolls: facts.freeze === null ? rollsNext(facts.desired, facts.before, facts) : null,
    isAcknowledged: world.isAcknowledged,
    lostGpus: world.lostGpus ?? new Set(),
    slowGpus: world.slowGpus ?? new Set(),
    quarantinedGpus: new Set(facts.quarantined.map(gpuKey)),
    wakeWithinMs: Math.max(WAKE_MIN_MS, world.config.failoverPolicy.rtoTargetMs * WAKE_SHARE),
    isFull: isFull(world),
    freshUid: (name): Uid => uid(`${name}.${world.freshToken}`),
  };
}

/** What is left of the RTO after a wake must do for the next rung. */
const WAKE_SHARE = 0.6;
const WAKE_MIN_MS = 1_000;

/** More in flight than hot alone may take: what was woken for overflow is still needed. */
function isFull({ config, status, inFlight, table }: ServiceWorld): boolean {
  const hot = (status?.instances ?? []).filter((instance) => instance.level === "hot" && isRoutable(instance.state)).length;
  return inFlight > 0 && inFlight >= config.overflow.inFlightRatio * table.maxBatch * hot;
}

interface Decided {
  readonly results: readonly { readonly name: InstanceName; readonly result: InstanceDecision }[];
  /** The known answer, recorded now if it was not. */
  readonly known: string | null;
}

/** @param wishes null = look only: nothing is woken, nothing put to sleep. */
function decideInstances(
  desired: readonly DesiredInstance[],
  before: ServiceStatus,
  world: ServiceWorld,
  facts: { readonly service: Omit<ServiceLook, "expectedAnswer">; readonly known: string | null; readonly wishes: Wishes | null },
): Decided {
  let { known } = facts;
  const results: { readonly name: InstanceName; readonly result: InstanceDecision }[] = [];
  for (const { name, look } of looks(desired, before, world)) {
    const wish = facts.wishes === null ? "stay" : (facts.wishes.of.get(name) ?? "rest");
    const isUrgent = facts.wishes?.urgent.has(name) ?? false;
    const result = decideInstance({ ...look, wish, isUrgent }, { ...facts.service, expectedAnswer: known });
    known ??= result.answer;
    results.push({ name, result });
  }
  return { results, known };
}

function ladderLook(
  world: ServiceWorld,
  facts: Pick<LadderLook, "before" | "desired" | "reserve" | "placements" | "fingerprint" | "freeze"> & {
    readonly found: Decided;
    readonly service: Pick<ServiceLook, "lostGpus" | "quarantinedGpus">;
  },
): LadderLook {
  const { found, service, before, ...rest } = facts;
  const blamed = found.results.flatMap(({ result }) => result.quarantine.map(gpuKey));
  const isNew = ({ memo }: SeenInstance): boolean => memo.heardAtMs === null && memo.readySinceMs === null && memo.restarts === 0;
  const open = before.openMove;
  return {
    ...rest,
    config: world.config,
    before: open !== null && isSettled(world, open) ? { ...before, openMove: null } : before,
    instances: found.results.flatMap(({ result }) => (result.next === null ? [] : [result.next])),
    shunnedGpus: new Set([...service.lostGpus, ...service.quarantinedGpus, ...blamed]),
    lostGpus: service.lostGpus,
    knownAnswer: found.known,
    memos: new Map(found.results.map(({ name, result }) => [name, result.memo])),
    isAcknowledged: world.isAcknowledged,
    isPlatformStart: [...world.seen.values()].every((seen) => seen.running === null && seen.exit === null && isNew(seen)),
    episodes: world.episodes,
    requests: world.requests,
    records: world.records,
    capacitySamples: world.capacitySamples,
    inFlight: world.inFlight,
    nowMs: world.nowMs,
    wallMs: world.wallMs,
  };
}

function emptyStatus(config: HotStandbyConfig): ServiceStatus {
  return {
    phase: "ColdStarting",
    level: "degraded",
    pinned: null,
    soakSince: null,
    failback: NO_FAILBACK,
    errorBudget: NO_BURN,
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

/** Whether gateways must hear of it. A status that says nothing new is the very one that is stored. */
function withRevision(next: ServiceStatus, before: ServiceStatus, world: ServiceWorld): ServiceStatus {
  if (world.status !== null && isSameJson(next, before)) return before;
  const isNews = world.status === null || next.observedGeneration !== before.observedGeneration || !isSameTable(next, before, world);
  return isNews ? { ...next, revision: before.revision + 1 } : next;
}

const isSameTable = (one: ServiceStatus, other: ServiceStatus, world: ServiceWorld): boolean =>
  one.epoch === other.epoch && isSameJson(tableOf(one, world), tableOf(other, world));
const tableOf = (status: ServiceStatus, world: ServiceWorld): RouteTable =>
  buildRouteTable(world.config, { ...status, revision: 0 }, world.table);

/** In this order: what the config asks for, then what it asks for no longer. */
function looks(
  desired: readonly DesiredInstance[],
  before: ServiceStatus,
  world: ServiceWorld,
): readonly { readonly name: InstanceName; readonly look: Omit<InstanceLook, "wish" | "isUrgent"> }[] {
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

/** Engines that run under this service's name although neither config nor status knows them, or knows only a place for them. */
function strayEngines(known: ReadonlySet<InstanceName>, world: ServiceWorld): readonly InstanceName[] {
  const strays: InstanceName[] = [];
  for (const [name, { running, task }] of world.seen)
    if (running !== null && task?.kind !== "stopping" && !known.has(name)) strays.push(name);
  return strays;
}
const strayNote = (name: InstanceName): Note => ({
  what: `Ends ${name}.`,
  why: "It runs, but neither the config nor the status knows it.",
});

function soonest(delays: readonly (number | null)[]): number | null {
  const finite = delays.filter((delay) => delay !== null);
  return finite.length === 0 ? null : Math.min(...finite);
}
