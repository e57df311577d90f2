import { modelledDecodeMs, modelledPrefillMs, type EngineProfile, type SteadyState } from "./engine-profile.ts";
import type { RequestRecord } from "./request-record.ts";

/** One injected fault, as the bench saw it. Times are of the machine's monotonic clock. */
export interface FaultWindow {
  readonly atMs: number;
  readonly instance: string;
  /** The next fault, or the end of the row: requests that arrive later belong to another round. */
  readonly untilMs: number;
  /** When the failed process itself answered again (continued, or its hang ended); null = it never did. */
  readonly resumedAtMs: number | null;
}

export interface EngineModel {
  readonly profile: EngineProfile;
  /** Of the engine that carries the whole load after the fault. */
  readonly survivor: SteadyState;
}

export type Place = "before-first-byte" | "mid-stream";

export interface AffectedRequest {
  readonly record: RequestRecord;
  readonly place: Place;
  /** From the fault, or the arrival when later, to the next good token or the error event; nothing subtracted. */
  readonly waitMs: number;
  /** `waitMs` less the modelled prefill and, of a whole answer, the modelled decode time; never negative; Infinity = it was lost. */
  readonly recoveryMs: number;
}

/**
 * In flight on the failed instance at the fault, or first tried there afterwards. The gateway names an engine only in the head of an
 * answer, so a request without a first byte is affected when it took more than one attempt, failed, or was answered by the failed
 * engine itself across the fault.
 * @returns null when the fault did not touch the request.
 */
export function placeOf(record: RequestRecord, fault: FaultWindow): Place | null {
  if (record.arrivedAtMs >= fault.untilMs || record.endedAtMs < fault.atMs) return null;
  // It came after this fault and met the next one: that one it is affected by.
  if (record.arrivedAtMs > fault.atMs && record.endedAtMs >= fault.untilMs) return null;
  const isFromFailed = record.instance === fault.instance;
  const firstTokenAtMs = record.tokenTimesMs[0];
  if (firstTokenAtMs !== undefined && firstTokenAtMs <= fault.atMs) return isFromFailed ? "mid-stream" : null;
  // A cut answer whose first bytes were still on their way at the fault.
  if (firstTokenAtMs !== undefined && isFromFailed && record.outcome !== "complete" && record.arrivedAtMs <= fault.atMs)
    return "mid-stream";
  if ((record.attempts ?? 1) > 1) return "before-first-byte";
  if (record.instance === null) return record.outcome === "complete" ? null : "before-first-byte";
  if (!isFromFailed) return null;
  if (record.arrivedAtMs <= fault.atMs) return "before-first-byte";
  const wasHeld = fault.resumedAtMs !== null && record.arrivedAtMs < fault.resumedAtMs;
  return wasHeld ? "before-first-byte" : null;
}

export function measure(record: RequestRecord, fault: FaultWindow, model: EngineModel): AffectedRequest | null {
  const place = placeOf(record, fault);
  return place === null ? null : measureFrom(record, { place, faultAtMs: fault.atMs }, model);
}

/** How long an affected request waited: see `AffectedRequest`. */
export function measureFrom(
  record: RequestRecord,
  met: { readonly place: Place; readonly faultAtMs: number },
  model: EngineModel,
): AffectedRequest {
  const { place, faultAtMs } = met;
  const fromMs = Math.max(faultAtMs, record.arrivedAtMs);
  const nextTokenAtMs = record.tokenTimesMs.find((atMs) => atMs > fromMs);
  const isCut = record.outcome !== "complete";
  const untilMs = isCut ? record.endedAtMs : (nextTokenAtMs ?? record.endedAtMs);
  const waitMs = Math.max(0, untilMs - fromMs);
  // A lost request never recovers, however fast it was refused.
  const isLostHere = isCut && !(place === "mid-stream" && record.outcome === "error-event");
  if (place === "mid-stream" || isCut) return { record, place, waitMs, recoveryMs: isLostHere ? Number.POSITIVE_INFINITY : waitMs };
  const prefillMs = modelledPrefillMs(model.profile, record.promptTokens, model.survivor);
  const decodeMs = record.isStream ? 0 : modelledDecodeMs(record.maxTokens, model.survivor);
  return { record, place, waitMs, recoveryMs: Math.max(0, waitMs - prefillMs - decodeMs) };
}

/** The one explicit error that a fault row allows: the error event of a stream that the failed engine had begun. */
export function isAllowedCut(record: RequestRecord, faults: readonly FaultWindow[]): boolean {
  if (!record.isStream || record.outcome !== "error-event" || record.tokenTimesMs.length === 0) return false;
  return faults.some((fault) => placeOf(record, fault) === "mid-stream");
}

/** No complete right answer, and no explicit error that the row allows. */
export const isLost = (record: RequestRecord, faults: readonly FaultWindow[]): boolean =>
  record.outcome !== "complete" && !isAllowedCut(record, faults);

export interface Round {
  readonly affected: readonly AffectedRequest[];
  readonly beforeFirstByte: number;
  readonly midStream: number;
}

export function judgeRound(records: readonly RequestRecord[], fault: FaultWindow, model: EngineModel): Round {
  const affected = records.map((record) => measure(record, fault, model)).filter((one) => one !== null);
  const midStream = affected.filter((one) => one.place === "mid-stream").length;
  return { affected, midStream, beforeFirstByte: affected.length - midStream };
}

/** Fewest affected requests of each place with which a round says anything. */
export const AFFECTED_MIN = 3;
export const isCounted = (round: Round, hasStreams: boolean): boolean =>
  round.beforeFirstByte >= AFFECTED_MIN && (!hasStreams || round.midStream >= AFFECTED_MIN);
