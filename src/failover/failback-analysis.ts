import { wallMs, type WallMs } from "../base/ids.ts";
import { formatDuration } from "../base/time.ts";
import { baseline, median, type CapacitySample } from "./capacity-rto.ts";

/** What is known of one step of a failback. */
export interface StepSeen {
  /** Oldest first, about one a second. */
  readonly samples: readonly CapacitySample[];
  readonly sinceMs: WallMs;
  readonly nowMs: WallMs;
  /** The config's: how long a step lasts follows from it. */
  readonly soakMs: number;
  /** Open now, over all gateways. */
  readonly inFlight: number;
  /** How long this control plane has listened: one that has just begun takes silence for no proof. */
  readonly watchedMs: number;
}

/**
 * early = its least time is not over; paused = too few requests to tell; good = the next step; bad = back to the lower rung.
 * `why` is whole sentences for people.
 */
export interface StepVerdict {
  readonly kind: "early" | "paused" | "good" | "bad";
  readonly why: string;
}

const STEP_MIN_MS = 1_000;
const STEP_SHARE_OF_SOAK = 0.1;
/** A pause ends after that many times the least time of a step. */
const PAUSE_FACTOR = 2;

/** A tenth of the soak for a step, at least a second; twice that for one that cannot be judged. */
export function stepTimes(soakMs: number): { readonly leastMs: number; readonly mostMs: number } {
  const leastMs = Math.max(STEP_MIN_MS, soakMs * STEP_SHARE_OF_SOAK);
  return { leastMs, mostMs: leastMs * PAUSE_FACTOR };
}

const REQUESTS_MIN = 10;
/** Half of the 5 % at which the alert rules call: who comes back must be better than who is sent away. */
const ERROR_RATIO_MAX = 0.025;
/** A service that fails already shall not fail twice as often. */
const ERROR_GROWTH_MAX = 2;
/** One failure is no pattern, unless there is nothing else to judge by. */
const FAILED_MIN = 2;
/** Hot was restarted, its caches are cold at first: more than the 1.5 of a recovered capacity (SPEC 1). */
const FIRST_TOKEN_GROWTH_MAX = 2;
/** What nobody notices is no reason to turn round. */
const FIRST_TOKEN_MORE_MS = 100;
const FIRST_TOKEN_SECONDS_MIN = 3;
const BASELINE_MS = 300_000;
const SECOND_MS = 1_000;

/** Compares what hot made of its share with how the service was in the five minutes before the step. Bad is said at any time, good only in time. */
export function judgeStep(seen: StepSeen): StepVerdict {
  const { leastMs, mostMs } = stepTimes(seen.soakMs);
  const ageMs = seen.nowMs - seen.sinceMs;
  const isLast = ageMs >= mostMs;
  const step = summaryOf(seen);
  const bad = badErrors(step, isLast ? 1 : FAILED_MIN) ?? badFirstTokens(step);
  if (bad !== null) return { kind: "bad", why: bad };
  if (ageMs < leastMs) return { kind: "early", why: "" };
  if (step.requests >= REQUESTS_MIN) return { kind: "good", why: `${told(step)}.` };
  if (isQuiet(seen, step, leastMs)) return { kind: "good", why: `No request came in ${formatDuration(leastMs)}: nothing can be worse.` };
  if (!isLast) return { kind: "paused", why: `Fewer than ${REQUESTS_MIN} requests came to hot: too few to judge by.` };
  return { kind: "good", why: `Only ${told(step)} in ${formatDuration(mostMs)}: too few to judge by, and none of them is bad.` };
}

interface StepSummary {
  readonly requests: number;
  readonly failed: number;
  /** Median of the seconds' p99; null = too few seconds with a first token. */
  readonly firstTokenMs: number | null;
  readonly before: { readonly requests: number; readonly failed: number; readonly firstTokenMs: number | null };
  /** Of the whole service during the step; null = no gateway said anything. */
  readonly serviceRequests: number | null;
}

function summaryOf({ samples, sinceMs }: StepSeen): StepSummary {
  // A gateway tells of a second when it is over: the sample of the second in which the step began holds its first requests.
  const beganMs = wallMs(sinceMs - SECOND_MS);
  const during = samples.filter((sample) => sample.atMs > beganMs);
  const before = samples.filter((sample) => sample.atMs <= beganMs && sample.atMs > beganMs - BASELINE_MS);
  const firstTokensMs = during.flatMap(({ returned }) => (returned.firstTokenP99Ms === null ? [] : [returned.firstTokenP99Ms]));
  return {
    requests: sum(during, ({ returned }) => returned.requests),
    failed: sum(during, ({ returned }) => returned.failed),
    firstTokenMs: firstTokensMs.length < FIRST_TOKEN_SECONDS_MIN ? null : median(firstTokensMs),
    before: {
      requests: sum(before, requestsOf),
      failed: sum(before, ({ failedRequests }) => failedRequests),
      firstTokenMs: baseline(samples, beganMs)?.firstTokenMs ?? null,
    },
    serviceRequests: during.length === 0 ? null : sum(during, requestsOf),
  };
}

function badErrors({ requests, failed, before }: StepSummary, failedMin: number): string | null {
  const usualRatio = before.requests === 0 ? 0 : before.failed / before.requests;
  const isBad = failed >= failedMin && failed / Math.max(requests, failed) > Math.max(ERROR_RATIO_MAX, ERROR_GROWTH_MAX * usualRatio);
  return isBad ? `${failed} of ${Math.max(requests, failed)} requests failed on hot, before ${before.failed} of ${before.requests}.` : null;
}

function badFirstTokens({ firstTokenMs, before }: StepSummary): string | null {
  if (firstTokenMs === null || before.firstTokenMs === null) return null;
  const limitMs = Math.max(FIRST_TOKEN_GROWTH_MAX * before.firstTokenMs, before.firstTokenMs + FIRST_TOKEN_MORE_MS);
  if (firstTokenMs <= limitMs) return null;
  return `First tokens take ${Math.round(firstTokenMs)} ms on hot (p99), before ${Math.round(before.firstTokenMs)} ms.`;
}

/** Nobody asks for anything. Without a word of a gateway that is believed only where none had traffic to tell of. */
function isQuiet({ inFlight, watchedMs }: StepSeen, step: StepSummary, leastMs: number): boolean {
  if (inFlight > 0 || step.requests > 0 || watchedMs < leastMs) return false;
  return step.serviceRequests === null ? step.before.requests === 0 : step.serviceRequests === 0;
}

function told({ requests, failed, firstTokenMs, before }: StepSummary): string {
  const speed =
    firstTokenMs === null || before.firstTokenMs === null
      ? ""
      : `, first tokens ${Math.round(firstTokenMs)} ms (p99; before ${Math.round(before.firstTokenMs)} ms)`;
  return `${requests} requests on hot, ${failed} failed${speed}`;
}

const requestsOf = ({ goodRequests, failedRequests }: CapacitySample): number => goodRequests + failedRequests;

const sum = (samples: readonly CapacitySample[], of: (sample: CapacitySample) => number): number =>
  samples.reduce((total, sample) => total + of(sample), 0);
