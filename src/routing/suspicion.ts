import type { MonotonicMs } from "../base/ids.ts";

/** How long an endpoint that owes answers may show no token before it is asked whether it lives. */
export const SILENCE_MS = 300;
export const PROBE_EVERY_MS = 250;
export const PROBE_TIMEOUT_MS = 400;
/**
 * Probes without an answer, no byte since the first of them, that make a silent endpoint dead.
 * Two that overlap: one alone may fall into a pause of a starved but living process; both cost 250 ms more.
 */
const UNANSWERED_PROBES_MAX = 2;
/**
 * Running work and no engine step for this long, from one answered probe to a later one: hung. As long as the longest step of an engine
 * that is well and under pressure: two looks inside one such step are never so far apart.
 */
export const HANG_MS = 1_500;

export interface Unmoved {
  /** The first of them was answered. */
  readonly since: MonotonicMs;
  /** The last of them was asked: from then back to `since` there was no step. */
  readonly until: MonotonicMs;
}

/** What is known of one endpoint that owes answers. */
export interface Evidence {
  /** Calls that wait for bytes; those that we paused ourselves are not counted. */
  readonly waiting: number;
  /** Last byte in band of any kind, or the dispatch that ended its idleness. A hung engine's HTTP server still sends heads. */
  readonly lastByteAt: MonotonicMs;
  /** Last token in band, or the dispatch that ended its idleness. */
  readonly lastTokenAt: MonotonicMs;
  /** A stream or a first token is late, though others may flow: ask at once. */
  readonly hasLateStream: boolean;
  readonly lastProbeAt: MonotonicMs | null;
  /** Timed-out probes in a row, all sent after `lastByteAt`. */
  readonly unanswered: number;
  /** Answered probes that showed running work and the same step count, no token between; null = it moves, or is unknown. */
  readonly unmoved: Unmoved | null;
}

export type Verdict =
  | { readonly kind: "wait" }
  | { readonly kind: "probe" }
  | { readonly kind: "eject"; readonly cause: "silent" | "no-progress" };

/** Evidence to verdict. Silence is only a reason to ask; two independent signals make an ejection. Busy is never dead. */
export function judge(evidence: Evidence, now: MonotonicMs): Verdict {
  if (evidence.waiting === 0) return { kind: "wait" };
  const isTokenless = now - evidence.lastTokenAt >= SILENCE_MS;
  if (!isTokenless && !evidence.hasLateStream) return { kind: "wait" };
  const isSilent = now - evidence.lastByteAt >= SILENCE_MS;
  if (isSilent && evidence.unanswered >= UNANSWERED_PROBES_MAX) return { kind: "eject", cause: "silent" };
  const { unmoved, lastProbeAt } = evidence;
  if (isTokenless && unmoved !== null && unmoved.until - unmoved.since > HANG_MS) return { kind: "eject", cause: "no-progress" };
  if (lastProbeAt === null || now - lastProbeAt >= PROBE_EVERY_MS) return { kind: "probe" };
  // One more look decides, and none was sent since it could.
  const isDecisive = isTokenless && unmoved !== null && now - unmoved.since > HANG_MS && lastProbeAt - unmoved.since <= HANG_MS;
  return isDecisive ? { kind: "probe" } : { kind: "wait" };
}

/** Long enough that a wake of a few hundred milliseconds gains by it, and less than half of what makes a hang sure. */
const UNMOVED_SUSPECT_MS = 600;

/**
 * One signal of the two that make an ejection: a probe in vain in its silence, or work without a step. Silence alone is none: a long
 * prefill is silent.
 */
export function isSuspected(evidence: Evidence, now: MonotonicMs): boolean {
  if (evidence.waiting === 0 || now - evidence.lastTokenAt < SILENCE_MS) return false;
  if (now - evidence.lastByteAt >= SILENCE_MS && evidence.unanswered > 0) return true;
  return evidence.unmoved !== null && evidence.unmoved.until - evidence.unmoved.since >= UNMOVED_SUSPECT_MS;
}

/**
 * true = no engine at all is heard while one is asked in vain: the network that failed is likely ours. Nothing is lost by doing nothing
 * then, for nobody who could serve instead answers either. One engine alone has no witness, and is judged by itself.
 */
export function isCutOff(silence: {
  /** When the newest unanswered probe of the silent endpoint was sent. */
  readonly askedInVainAt: MonotonicMs;
  /** The last word of any endpoint. */
  readonly lastHeardAt: MonotonicMs | null;
  /** Endpoints of other instances that are known. */
  readonly others: number;
}): boolean {
  if (silence.others === 0) return false;
  return silence.lastHeardAt === null || silence.lastHeardAt < silence.askedInVainAt;
}

/**
 * true = so many endpoints on different nodes fell silent together that the fault is likely ours.
 * Two may be one node's or one zone's loss, so three are needed.
 */
export function isSelfSuspect(counts: { readonly silentNodes: number; readonly silent: number; readonly owing: number }): boolean {
  return counts.silentNodes >= 3 && counts.silent * 2 > counts.owing;
}
