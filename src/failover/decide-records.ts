import { wallMs, type WallMs } from "../base/ids.ts";
import { formatWall, parseWall } from "../base/time.ts";
import { NO_CLOCK, type FailoverRecord, type FailoverRecordStatus, type RtoClock } from "../api/failover-record.ts";
import type { OpenMove, ServiceStatus } from "../api/service-status.ts";
import { baseline, capacityRtoMs } from "./capacity-rto.ts";
import type { LadderDecision } from "./decide-ladder.ts";
import { isBelow, isRedundant, topUsable, type LadderLook } from "./ladder-look.ts";
import { lossNear, type Loss, type MoveTime } from "./rto-clock.ts";

/** Gateways tell of a loss a little later than it happens: so long a finished record waits for them, and so long at most. */
const EPISODE_LATE_MS = 2_000;
const CLOCK_MAX_MS = 60_000;

/**
 * Every record as it shall be, derived anew at each look: one that was not written, or not whole, when the control plane ended is
 * written by the next look.
 */
export function decideRecords(look: LadderLook, ladder: LadderDecision, history: ServiceStatus["history"]): readonly FailoverRecord[] {
  const open = ladder.openMove;
  const last = look.before.openMove;
  const superseded = last !== null && last.record !== open?.record ? [superseding(look, moveRecord(look, last, history))] : [];
  const current = open === null ? [] : [moveRecord(look, open, history)];
  const advice = advised(look, ladder);
  const known = new Set([...superseded, ...current, ...ladder.records, ...advice].map(({ name }) => name));
  const others = [...look.records.values()].filter(({ name }) => !known.has(name));
  const leftover = others.filter(({ status }) => status !== null && status.phase === "Running" && status.epoch !== null);
  const unwritten = others.filter(({ status, requestedBy }) => status === null && requestedBy === "automatic");
  return [
    ...leftover.map((record) => superseding(look, record)),
    ...unwritten.map((record) => forgotten(look, record)),
    ...superseded,
    ...current,
    ...ladder.records,
    ...advice,
  ];
}

/** The stored record says all that it ever will, so the status need not hold the move any longer. */
export function isSettled(look: Pick<LadderLook, "records" | "episodes" | "capacitySamples" | "wallMs">, open: OpenMove): boolean {
  const stored = storedOf(look, open)?.status ?? null;
  if (stored === null || stored.phase === "Running" || stored.phase === "Requested") return false;
  const decidedAtMs = parseWall(open.decidedAt) ?? look.wallMs;
  const ageMs = look.wallMs - decidedAtMs;
  if (open.requestedBy === "operator" || !isBelow(open.to, open.from) || ageMs >= CLOCK_MAX_MS) return true;
  const loss = lossNear(look.episodes, moveTimeOf(open, stored, decidedAtMs));
  if (loss === null) return ageMs >= EPISODE_LATE_MS;
  const isWhole = stored.rtoMs === loss.rtoMs && stored.affected.requests === loss.affected.requests;
  return loss.isOver && isWhole && (stored.capacityRtoMs !== null || baseline(look.capacitySamples, loss.faultAtMs) === null);
}

function moveRecord(look: LadderLook, open: OpenMove, history: ServiceStatus["history"]): FailoverRecord {
  const stored = storedOf(look, open) ?? look.requests.find((request) => request.name === open.record) ?? null;
  const was = stored?.status ?? null;
  const isDown = isBelow(open.to, open.from);
  const decidedAtMs = parseWall(open.decidedAt) ?? look.wallMs;
  const seen = isDown && open.requestedBy === "automatic" ? lossNear(look.episodes, moveTimeOf(open, was, decidedAtMs)) : null;
  // The times of one loss stand together: a later one, which nobody has got over yet, does not take the place of what was measured.
  const isOther = seen !== null && was !== null && was.clock.fault !== null && !isSameLoss(was.clock, seen.clock);
  const loss = isOther && was.rtoMs !== null && (seen.rtoMs ?? 0) <= was.rtoMs ? null : seen;
  const measured = loss !== null && isOther ? null : was;
  const clock = clockOf(look, open, { was: was?.clock ?? NO_CLOCK, measured: measured?.clock ?? NO_CLOCK, loss });
  const isDone = isDown && open.requestedBy === "automatic" ? clock.redundant !== null : clock.routed !== null;
  const faultAtMs = clock.fault === null ? null : parseWall(clock.fault);
  const redundantAtMs = clock.redundant === null ? null : parseWall(clock.redundant);
  const status: FailoverRecordStatus = {
    phase: isDone ? "Completed" : "Running",
    epoch: open.epoch,
    clock,
    rtoMs: loss?.rtoMs ?? measured?.rtoMs ?? null,
    capacityRtoMs: was?.capacityRtoMs ?? (faultAtMs === null ? null : capacityRtoMs(look.capacitySamples, faultAtMs)),
    mttrrMs: redundantAtMs === null ? null : Math.max(0, redundantAtMs - (faultAtMs ?? decidedAtMs)),
    affected: loss?.affected ?? was?.affected ?? { requests: 0, lost: 0 },
    reason: reasonOf(open, history) ?? was?.reason ?? "",
  };
  if (stored !== null) return { ...stored, status };
  const { record: name, from, to, cause, requestedBy } = open;
  return { name, service: look.config.name, action: isDown ? "failover" : "failback", from, to, cause, requestedBy, status };
}

/** Two gateways, or two engines, may be lost in the same millisecond, and be found at different times. */
const isSameLoss = (was: RtoClock, seen: Loss["clock"]): boolean => was.fault === seen.fault && was.detected === seen.detected;

const moveTimeOf = (open: OpenMove, was: FailoverRecordStatus | null, atMs: WallMs): MoveTime => {
  const redundantAtMs = was === null || was.clock.redundant === null ? null : parseWall(was.clock.redundant);
  return { atMs, epoch: open.epoch, redundantAtMs };
};

/** The same name may be left of a service that was deleted: its move was decided at another time. */
function storedOf({ records }: Pick<LadderLook, "records">, open: OpenMove): FailoverRecord | null {
  const stored = records.get(open.record) ?? null;
  return open.requestedBy === "operator" || stored?.status?.clock.decided === open.decidedAt ? stored : null;
}

/** @param seen.measured what was stored of the loss that counts now. */
function clockOf(
  look: LadderLook,
  open: OpenMove,
  seen: { readonly was: RtoClock; readonly measured: RtoClock; readonly loss: Loss | null },
): RtoClock {
  const now = formatWall(look.wallMs);
  const { was, measured, loss } = seen;
  const isPublished = look.before.epoch >= open.epoch;
  return {
    fault: loss?.clock.fault ?? measured.fault,
    detected: loss?.clock.detected ?? measured.detected,
    decided: open.decidedAt,
    targetReady: loss?.clock.targetReady ?? measured.targetReady ?? (topUsable(look) === null ? null : now),
    routed: was.routed ?? (isPublished && look.isAcknowledged ? now : null),
    firstGoodToken: loss?.clock.firstGoodToken ?? measured.firstGoodToken,
    redundant: isBelow(open.to, open.from) ? (was.redundant ?? (isPublished && isRedundant(look) ? now : null)) : null,
  };
}

/** The service went on to another rung: the record ends with what is known. */
function superseding(look: LadderLook, record: FailoverRecord): FailoverRecord {
  const { status } = record;
  if (status === null || status.phase !== "Running") return record;
  const hasServed = status.clock.targetReady !== null || status.clock.firstGoodToken !== null;
  const at: WallMs = wallMs(look.wallMs);
  const reason = hasServed ? status.reason : `${status.reason} It never served: at ${formatWall(at)} the service went on.`;
  return { ...record, status: { ...status, phase: hasServed ? "Completed" : "Failed", reason } };
}

/** The store took the record and not its status, and meanwhile the service went on: nobody knows any more what was measured. */
function forgotten(look: LadderLook, record: FailoverRecord): FailoverRecord {
  const reason = `At ${formatWall(look.wallMs)} the service had gone on, and what was measured had not been stored.`;
  return { ...record, status: { ...NOTHING_MEASURED, phase: "Failed", reason } };
}

const NOTHING_MEASURED: Omit<FailoverRecordStatus, "phase" | "reason"> = {
  epoch: null,
  clock: NO_CLOCK,
  rtoMs: null,
  capacityRtoMs: null,
  mttrrMs: null,
  affected: { requests: 0, lost: 0 },
};

const reasonOf = (open: OpenMove, history: ServiceStatus["history"]): string | null =>
  history.findLast(({ what }) => what.startsWith("Moves ") && what.endsWith(`(epoch ${open.epoch}).`))?.why ?? null;

/** With autoFailover off: what would have been done. One an epoch, written once. */
function advised(look: LadderLook, ladder: LadderDecision): readonly FailoverRecord[] {
  if (look.config.failoverPolicy.isAutomatic || ladder.withheld === null) return [];
  const name = `${look.config.name}-${ladder.epoch}-advised`;
  if ((look.records.get(name)?.status ?? null) !== null) return [];
  const { to, what } = ladder.withheld;
  const status: FailoverRecordStatus = {
    ...NOTHING_MEASURED,
    phase: "Advised",
    clock: { ...NO_CLOCK, decided: formatWall(look.wallMs) },
    reason: `${what} ${ladder.held ?? ""}.`,
  };
  const action = to === "hot" ? "failback" : "failover";
  return [{ name, service: look.config.name, action, from: ladder.level, to, cause: "advised", requestedBy: "automatic", status }];
}
