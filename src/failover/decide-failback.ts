import { wallMs } from "../base/ids.ts";
import { formatDuration, formatWall, parseWall } from "../base/time.ts";
import type { HotStandbyConfig, Level } from "../api/hot-standby-config.ts";
import type { LadderPlace } from "../api/failover-record.ts";
import type { FailbackState, ServiceStatus } from "../api/service-status.ts";
import { isRoutable } from "../routing/build-table.ts";
import type { Note } from "./add-history.ts";
import { isBudgetSpent } from "./error-budget.ts";
import { judgeStep, stepTimes } from "./failback-analysis.ts";
import { isBelow, isEveryHotReady, onLevel, type LadderLook } from "./ladder-look.ts";

/** How the way back stands after this look. */
export interface FailbackDecision {
  /** Why all traffic belongs to hot from now on; null = it does not yet. */
  readonly arrived: string | null;
  readonly state: FailbackState;
  /** Why its step does not go on; null = it does, or there is none. */
  readonly paused: string | null;
  /** Hot must be well anew from now on. */
  readonly isSoakAnew: boolean;
  readonly notes: readonly Note[];
  readonly lookAgainAfterMs: number | null;
}

/** What else this look decided: it goes first. */
interface Beside {
  /** Why nothing is activated; null = it may be. */
  readonly held: string | null;
  readonly pinned: Level | null;
  readonly move: { readonly to: LadderPlace; readonly isCounted: boolean } | null;
}

/** Hot that is lost again so soon after a failback, in soaks, was not as well as it seemed. */
const UNDONE_WITHIN_SOAKS = 1;
/** Hot that holds for so many soaks is trusted again. */
const TRUSTED_AFTER_SOAKS = 10;
const DOUBLINGS_MAX = 3;
/** Without a soak there is still something to double. */
const BLOCK_MIN_MS = 1_000;
const COOL_DOWN_MAX_MS = 3_600_000;
/** A bad step is turned round as soon as a gateway's counts tell of it. */
const STEP_LOOK_MS = 1_000;

/**
 * Soaked, traffic returns step by step while it still belongs to the lower rung, which stays awake; after the last good step all of it
 * belongs to hot. Pure: state, samples and time decide.
 */
export function decideFailback(look: LadderLook, beside: Beside): FailbackDecision {
  const { failback } = look.before;
  const lost = lostHot(look);
  if (beside.move !== null) return yieldTo(look, beside.move, lost);
  if (failback.step === null) return beside.held === null && beside.pinned === null && isSoaked(look) ? begin(look) : rest(look);
  if (lost !== null) return undo(look, `${lost} was lost at ${failback.step.percent} %.`);
  const barred = whyBarred(look, beside);
  if (barred !== null) return withdraw(look, barred);
  return goOn(look, failback.step);
}

/**
 * How long hot must be well before: the soak, twice as long for each failback in a row that did not last, and the longest where the error
 * budget is spent.
 */
export function waitMs(
  { failoverPolicy, tier }: HotStandbyConfig,
  { failback, openMove, errorBudget }: Pick<ServiceStatus, "failback" | "openMove" | "errorBudget">,
): number {
  // A rollout took hot away on purpose, and what came back was verified: there is nothing to wait for.
  if (openMove?.cause === "rollout") return 0;
  const { soakMs } = failoverPolicy.failback;
  const doublings = isBudgetSpent(errorBudget, tier) ? DOUBLINGS_MAX : Math.min(failback.undone?.count ?? 0, DOUBLINGS_MAX);
  if (doublings === 0) return soakMs;
  const blockMs = Math.max(BLOCK_MIN_MS, soakMs) * 2 ** doublings;
  return Math.max(soakMs, Math.min(COOL_DOWN_MAX_MS, blockMs));
}

/** All that a failback waits for, but for Hold and operators. */
export function isSoaked(look: LadderLook): boolean {
  const { before, config } = look;
  if (!isBelow(before.level, "hot") || before.level === "degraded" || before.epoch === 0) return false;
  if (!isEveryHotReady(look) || config.failoverPolicy.failback.preferred !== "hot") return false;
  return look.wallMs - (atMs(before.soakSince) ?? look.wallMs) >= waitMs(config, before);
}

/** A hot instance that served and does so no longer, but for one that is taken down on purpose. */
function lostHot(look: LadderLook): string | null {
  if (look.isPlatformStart) return null;
  const wanted = new Set(look.desired.map(({ name }) => name));
  const now = new Map(onLevel(look, "hot").map((instance) => [instance.name, instance.state]));
  const served = look.before.instances.filter(({ name, level, state }) => level === "hot" && isRoutable(state) && wanted.has(name));
  const lost = served.find(({ name }) => {
    const state = now.get(name) ?? "Failed";
    return !isRoutable(state) && state !== "Draining";
  });
  return lost?.name ?? null;
}

function whyBarred({ config }: LadderLook, { held, pinned }: Beside): string | null {
  if (held !== null) return `${held}.`;
  if (pinned !== null) return `An operator moved traffic to ${pinned}.`;
  return config.failoverPolicy.failback.preferred === "hot" ? null : "failback.preferred is none.";
}

/** Another move goes first: a failback that was under way, or has just been, ends with it. */
function yieldTo(look: LadderLook, move: NonNullable<Beside["move"]>, lost: string | null): FailbackDecision {
  const { before } = look;
  const { step } = before.failback;
  if (step !== null && move.to !== "hot" && lost !== null) return undo(look, `${lost} was lost at ${step.percent} %.`);
  const doneMs = atMs(before.failback.doneAt);
  const sinceMs = doneMs === null ? Number.POSITIVE_INFINITY : look.wallMs - doneMs;
  const isSoon = sinceMs <= look.config.failoverPolicy.failback.soakMs * UNDONE_WITHIN_SOAKS;
  if (before.level === "hot" && move.isCounted && isSoon) return undo(look, `Hot was lost ${formatDuration(sinceMs)} after it.`);
  return { ...still(look), state: { ...before.failback, step: null, doneAt: null } };
}

function begin(look: LadderLook): FailbackDecision {
  const { before, config } = look;
  if (look.freeze !== null) return still(look);
  const why = `Every hot instance has been Ready since ${before.soakSince ?? formatWall(look.wallMs)}.`;
  const [first] = config.failoverPolicy.failback.stepsPercent;
  if (before.openMove?.cause === "rollout" || first === undefined) return arrive(look, why);
  return take(look, first, why);
}

function goOn(look: LadderLook, step: NonNullable<FailbackState["step"]>): FailbackDecision {
  if (!isEveryHotReady(look)) return pause(look, step, "Not every hot instance is Ready.");
  if (look.freeze !== null) return pause(look, step, look.freeze.why);
  const { soakMs, stepsPercent } = look.config.failoverPolicy.failback;
  // A break, such as a suspicion that came to nothing, begins the step anew.
  const sinceMs = wallMs(Math.max(atMs(step.since) ?? look.wallMs, atMs(look.before.soakSince) ?? look.wallMs));
  const { capacitySamples: samples, inFlight, wallMs: nowMs } = look;
  const verdict = judgeStep({ samples, sinceMs, nowMs, soakMs, inFlight, watchedMs: watchedMs(look) });
  switch (verdict.kind) {
    case "bad":
      return undo(look, verdict.why);
    case "paused":
      return pause(look, step, verdict.why);
    case "early": {
      const leftMs = sinceMs + stepTimes(soakMs).leastMs - look.wallMs;
      return { ...still(look), lookAgainAfterMs: Math.min(STEP_LOOK_MS, leftMs) };
    }
    case "good": {
      const next = stepsPercent.find((percent) => percent > step.percent);
      return next === undefined ? arrive(look, `At ${step.percent} %: ${verdict.why}`) : take(look, next, verdict.why);
    }
  }
}

/** Since when this control plane has seen all of hot Ready. */
function watchedMs(look: LadderLook): number {
  const sinceMs = onLevel(look, "hot").map(({ name }) => look.memos.get(name)?.readySinceMs ?? look.nowMs);
  return look.nowMs - Math.max(...sinceMs);
}

function take(look: LadderLook, percent: number, why: string): FailbackDecision {
  return {
    ...still(look),
    state: { ...look.before.failback, step: { percent, since: formatWall(look.wallMs) } },
    notes: [{ what: `Sends ${percent} % of new requests to hot.`, why }],
    lookAgainAfterMs: Math.min(STEP_LOOK_MS, stepTimes(look.config.failoverPolicy.failback.soakMs).leastMs),
  };
}

const arrive = (look: LadderLook, why: string): FailbackDecision => ({
  ...still(look),
  arrived: why,
  state: { ...look.before.failback, step: null, doneAt: formatWall(look.wallMs) },
});

function pause(look: LadderLook, step: NonNullable<FailbackState["step"]>, why: string): FailbackDecision {
  const what = `Pauses the failback at ${step.percent} %.`;
  const isSaid = look.before.history.some((entry) => entry.what === what && entry.at >= step.since);
  return { ...still(look), paused: why, notes: isSaid ? [] : [{ what, why }], lookAgainAfterMs: STEP_LOOK_MS };
}

/** Nothing is wrong with hot: traffic is merely wanted where it belongs. */
const withdraw = (look: LadderLook, why: string): FailbackDecision => ({
  ...still(look),
  state: { ...look.before.failback, step: null },
  notes: [{ what: `Takes traffic back to ${look.before.level}.`, why }],
});

/** It did not last: the next one waits twice as long. */
function undo(look: LadderLook, why: string): FailbackDecision {
  const { before, config } = look;
  const count = (before.failback.undone?.count ?? 0) + 1;
  const state: FailbackState = { step: null, doneAt: null, undone: { count, at: formatWall(look.wallMs), why } };
  const wait = formatDuration(waitMs(config, { failback: state, openMove: null, errorBudget: before.errorBudget }));
  const what = before.failback.step === null ? "The last failback did not last." : `Takes traffic back to ${before.level}.`;
  return {
    ...still(look),
    state,
    isSoakAnew: true,
    notes: [{ what, why: `${why} Hot must be well for ${wait} before the next failback.` }],
  };
}

/** No failback is under way. Hot that has held for long is trusted as at first. */
function rest(look: LadderLook): FailbackDecision {
  const { failback, level } = look.before;
  const { undone } = failback;
  if (undone === null || level !== "hot") return still(look);
  const sinceMs = Math.max(atMs(undone.at) ?? 0, atMs(failback.doneAt) ?? 0);
  const trustedAfterMs = TRUSTED_AFTER_SOAKS * Math.max(BLOCK_MIN_MS, look.config.failoverPolicy.failback.soakMs);
  if (look.wallMs - sinceMs < trustedAfterMs) return still(look);
  const why = "Traffic has been on hot for long enough: the next failback waits for the soak alone.";
  return { ...still(look), state: { ...failback, undone: null }, notes: [{ what: "Forgets the failbacks that did not last.", why }] };
}

const still = (look: LadderLook): FailbackDecision => ({
  arrived: null,
  state: look.before.failback,
  paused: null,
  isSoakAnew: false,
  notes: [],
  lookAgainAfterMs: null,
});

const atMs = (text: string | null): number | null => (text === null ? null : parseWall(text));
