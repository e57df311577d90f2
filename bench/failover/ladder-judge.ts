import { modelledDecodeMs } from "./engine-profile.ts";
import { measureFrom, type AffectedRequest, type EngineModel, type Place } from "./judge.ts";
import type { RequestRecord } from "./request-record.ts";

/** One fault that left the serving rung of a service with nobody. Times are of the machine's monotonic clock. */
export interface Outage {
  readonly atMs: number;
  /** The next fault, or the end of the row. */
  readonly untilMs: number;
}

const firstTokenMs = (record: RequestRecord, model: EngineModel): number =>
  record.tokenTimesMs[0] ?? record.endedAtMs - (record.isStream ? 0 : modelledDecodeMs(record.maxTokens, model.survivor));

/**
 * The first good token of a request that arrived after the fault: earlier ones may still be bytes of the dead.
 * @returns null when nobody served before the next fault.
 */
export function servedAgainAtMs(records: readonly RequestRecord[], outage: Outage, model: EngineModel): number | null {
  const first = servedFirst(records, outage, model);
  return first === null ? null : firstTokenMs(first, model);
}

/** The request of that token. */
export function servedFirst(records: readonly RequestRecord[], outage: Outage, model: EngineModel): RequestRecord | null {
  const served = records.filter(
    ({ outcome, arrivedAtMs }) => outcome === "complete" && arrivedAtMs > outage.atMs && arrivedAtMs < outage.untilMs,
  );
  return served.toSorted((left, right) => firstTokenMs(left, model) - firstTokenMs(right, model))[0] ?? null;
}

/**
 * Everything that was in flight, since everybody who served is dead; everything that arrived before somebody served again, whoever answered
 * it in the end; and what was tried more than once.
 * @returns null when the outage did not touch the request.
 */
function placeIn(record: RequestRecord, outage: Outage, servedAtMs: number): Place | null {
  if (record.endedAtMs < outage.atMs || record.arrivedAtMs >= outage.untilMs) return null;
  // It came after this fault and met the next one: that one it is affected by.
  if (record.arrivedAtMs > outage.atMs && record.endedAtMs >= outage.untilMs) return null;
  if (record.arrivedAtMs > outage.atMs) return record.arrivedAtMs < servedAtMs || (record.attempts ?? 1) > 1 ? "before-first-byte" : null;
  const [firstAtMs] = record.tokenTimesMs;
  const isCut = record.outcome !== "complete" && firstAtMs !== undefined;
  return isCut || (firstAtMs !== undefined && firstAtMs <= outage.atMs) ? "mid-stream" : "before-first-byte";
}

export interface JudgedOutage {
  readonly affected: readonly AffectedRequest[];
  readonly servedAtMs: number | null;
}

export function judgeOutage(records: readonly RequestRecord[], outage: Outage, model: EngineModel): JudgedOutage {
  const servedAtMs = servedAgainAtMs(records, outage, model);
  const affected = records.flatMap((record) => {
    const place = placeIn(record, outage, servedAtMs ?? Number.POSITIVE_INFINITY);
    return place === null ? [] : [measureFrom(record, { place, faultAtMs: outage.atMs }, model)];
  });
  return { affected, servedAtMs };
}

/** Fewest affected requests with which an outage says anything. */
const AFFECTED_MIN = 6;
export const saysSomething = ({ affected }: JudgedOutage): boolean => affected.length >= AFFECTED_MIN;

/**
 * An explicit refusal that tells when to come again: 503 with Retry-After, or, of a stream whose head was sent because it waited long,
 * an error event before any token.
 */
export function isRefusal(record: RequestRecord): boolean {
  if (record.outcome === "error-status") return record.status === 503 && record.retryAfterSeconds !== null;
  return record.outcome === "error-event" && record.isStream && record.status === 200 && record.tokenTimesMs.length === 0;
}

/** An engine whose GPU is lost lives on for a moment: so long it may begin streams that it then cuts. */
const DYING_MAX_MS = 250;

/** A stream that an outage cut after its first token, and that said so. */
const isExplicitCut = (record: RequestRecord, outages: readonly Outage[]): boolean =>
  record.isStream &&
  record.outcome === "error-event" &&
  record.tokenTimesMs.length > 0 &&
  outages.some(({ atMs, untilMs }) => {
    const [firstAtMs] = record.tokenTimesMs;
    const isOfTheDying = firstAtMs !== undefined && firstAtMs <= atMs + DYING_MAX_MS && record.endedAtMs <= atMs + DYING_MAX_MS;
    return record.endedAtMs >= atMs && record.arrivedAtMs < untilMs && (record.arrivedAtMs <= atMs || isOfTheDying);
  });

export interface LadderAllowance {
  readonly outages: readonly Outage[];
  /** true = the row's outages may be answered by a refusal. */
  readonly areRefusalsAllowed: boolean;
}

/** No complete right answer, and no explicit error that the row allows. */
export function isLostOnLadder(record: RequestRecord, { outages, areRefusalsAllowed }: LadderAllowance): boolean {
  if (record.outcome === "complete" || isExplicitCut(record, outages)) return false;
  const isInOutage = outages.some(({ atMs, untilMs }) => record.endedAtMs >= atMs && record.arrivedAtMs < untilMs);
  return !(areRefusalsAllowed && isInOutage && isRefusal(record));
}

/**
 * Waits of what was refused in an outage, from its arrival, or from the fault that ended what already ran: a queue that gives up too
 * early, or holds on too long, shows here.
 */
export const refusalWaitsMs = (records: readonly RequestRecord[], outages: readonly Outage[]): readonly number[] =>
  records.flatMap((record) => {
    const outage = outages.findLast(({ atMs }) => atMs <= record.endedAtMs);
    return outage === undefined || !isRefusal(record) ? [] : [record.endedAtMs - Math.max(record.arrivedAtMs, outage.atMs)];
  });
