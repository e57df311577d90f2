import { epoch, wallMs, type Epoch } from "../base/ids.ts";
import { formatWall, parseWall } from "../base/time.ts";
import type { FailoverRecord, LadderPlace } from "../api/failover-record.ts";
import type { Level } from "../api/hot-standby-config.ts";
import type { ErrorBudget, FailbackState, OpenMove, ServiceStatus } from "../api/service-status.ts";
import type { Note } from "./add-history.ts";
import { decideFailback, isSoaked, waitMs, type FailbackDecision } from "./decide-failback.ts";
import { decideRequest, type Answer } from "./decide-request.ts";
import { burnAfter, forgiven, isBudgetSpent, tellBudget } from "./error-budget.ts";
import { isBelow, isEveryHotReady, isStarting, isUsable, type LadderLook } from "./ladder-look.ts";
import { budgetAt, countMove, whyHeld, windowEndMs } from "./move-budget.ts";
import { moveCause, moveReason } from "./move-reason.ts";
import { nextPlace, type NextPlace } from "./next-place.ts";

/** Where traffic belongs from now on, and what holds the service back. Instances follow in `decideWishes`. */
export interface LadderDecision {
  readonly level: LadderPlace;
  readonly epoch: Epoch;
  readonly pinned: Level | null;
  readonly soakSince: string | null;
  readonly failback: FailbackState;
  readonly errorBudget: ErrorBudget;
  /** Why the step of a failback does not go on; null = it does, or there is none. */
  readonly paused: string | null;
  readonly openMove: OpenMove | null;
  readonly failovers: ServiceStatus["failovers"];
  /** What the rung needs before it serves; null = somebody on it does. */
  readonly next: NextPlace | null;
  /** The rung that an operator wants to move to once it is made ready. */
  readonly target: Level | null;
  /** Why nothing is activated; null = it may be. */
  readonly held: string | null;
  /** What is held back right now. */
  readonly withheld: { readonly to: LadderPlace; readonly what: string } | null;
  readonly notes: readonly Note[];
  /** An operator's requests, answered. */
  readonly records: readonly FailoverRecord[];
  readonly lookAgainAfterMs: number | null;
}

interface Move {
  readonly to: LadderPlace;
  readonly cause: string;
  readonly why: string;
  /** null = is not recorded: the end of a move down, or a first start. */
  readonly record: string | null;
  readonly requestedBy: "automatic" | "operator";
  readonly isCounted: boolean;
}

/** At most one move a look; an operator's first. Pure, and level-triggered: only what is seen and what was stored count. */
export function decideLadder(look: LadderLook): LadderDecision {
  const { before, config } = look;
  const answer = decideRequest(look);
  const cleared = { ...before.failovers, inWindow: 0, windowStart: null };
  const budget = budgetAt(answer.isResumed ? cleared : before.failovers, config.failoverPolicy, look.wallMs);
  const held = whyHeld(budget, config.failoverPolicy);
  const errorBudget = burnOf(look, answer);
  const next = isUsable(look, before.level) ? null : nextPlace(look, held !== null);
  const pinned = answer.pinned !== undefined ? answer.pinned : before.pinned;
  const away = askedMove(look, answer) ?? automaticMove(look, next);
  const back = decideFailback(look, { held, pinned, move: away });
  const move = away ?? failback(look, back);
  const soak = soakOf(look, move, back);
  const level = move?.to ?? before.level;
  const failovers = move?.isCounted === true ? countMove(budget, look.wallMs) : budget;
  const opened = move === null ? null : openMoveOf(look, move);
  const withheld = withheldOf(look, { level, next, held });
  return {
    level,
    epoch: move === null ? before.epoch : epoch(before.epoch + 1),
    pinned: answer.pinned !== undefined || move === null ? pinned : null,
    soakSince: soak,
    failback: back.state,
    errorBudget,
    paused: back.paused,
    openMove: opened ?? before.openMove,
    failovers,
    next: move === null || !isUsable(look, level) ? next : null,
    target: answer.target,
    held,
    withheld,
    notes: [
      ...answer.notes,
      ...spentNote(look, errorBudget),
      ...back.notes,
      ...(move === null ? [] : [moveNote(look, move)]),
      ...heldNote(look, withheld, held),
    ],
    records: answer.records,
    lookAgainAfterMs: timeToLook(look, { soak, failovers, back, errorBudget }),
  };
}

function burnOf({ before, config, episodes, wallMs: nowMs }: LadderLook, { isResumed }: Answer): ErrorBudget {
  const { rtoTargetMs } = config.failoverPolicy;
  return burnAfter(isResumed ? forgiven(before.errorBudget) : before.errorBudget, { episodes, nowMs, rtoTargetMs });
}

function spentNote({ before, config: { tier } }: LadderLook, errorBudget: ErrorBudget): readonly Note[] {
  if (!isBudgetSpent(errorBudget, tier) || isBudgetSpent(before.errorBudget, tier)) return [];
  return [{ what: "The error budget is spent: failbacks wait for the longest.", why: `${tellBudget(errorBudget, tier)}.` }];
}

function askedMove(look: LadderLook, { move }: Answer): Move | null {
  if (move === null || (move.to === look.before.level && isUsable(look, move.to))) return null;
  const why = `An operator asked for it (${move.request.name}), and ${move.to} is Ready.`;
  return { to: move.to, cause: "operator", why, record: move.request.name, requestedBy: "operator", isCounted: false };
}

function automaticMove(look: LadderLook, next: NextPlace | null): Move | null {
  const { before } = look;
  if (next === null || next.to === before.level) return null;
  const base = { to: next.to, requestedBy: "automatic", record: null, isCounted: false } as const;
  if (before.epoch === 0) return { ...base, cause: "first-start", why: "It is the first start." };
  const why = moveReason(look, next);
  // Upwards nothing is risked: nobody served below, so there is nothing to soak for.
  if (!isBelow(next.to, before.level)) return { ...base, cause: "serving-again", why };
  if (isStarting(look)) return { ...base, cause: "platform-start", why: `Nothing of it ran when the control plane began. ${why}` };
  const cause = moveCause(look);
  return { ...base, cause, why, record: nameOfMove(look), isCounted: cause !== "rollout" };
}

/** Back to hot once all of it has been whole for the soak, and its last step was good. */
const failback = (look: LadderLook, { arrived }: FailbackDecision): Move | null =>
  arrived === null
    ? null
    : { to: "hot", cause: "failback", why: arrived, record: nameOfMove(look), requestedBy: "automatic", isCounted: false };

/** Hot has been whole without a break, while traffic, or a reserve that stands in, is below it. */
function soakOf(look: LadderLook, move: Move | null, { isSoakAnew }: FailbackDecision): string | null {
  const level = move?.to ?? look.before.level;
  const isAway = level === "warm" || level === "cold" || look.before.instances.some((instance) => instance.level === "cold");
  if (!isAway || !isEveryHotReady(look)) return null;
  return (isSoakAnew ? null : look.before.soakSince) ?? formatWall(look.wallMs);
}

const nameOfMove = ({ config, before }: LadderLook): string => `${config.name}-${before.epoch + 1}`;

function openMoveOf({ before, wallMs: nowMs }: LadderLook, move: Move): OpenMove | null {
  if (move.record === null) return null;
  const { record, to, cause, requestedBy } = move;
  return { record, epoch: epoch(before.epoch + 1), from: before.level, to, cause, requestedBy, decidedAt: formatWall(nowMs) };
}

const moveNote = ({ before }: LadderLook, move: Move): Note => ({
  what:
    before.epoch === 0
      ? `Serves from ${move.to} (epoch 1).`
      : `Moves traffic from ${before.level} to ${move.to} (epoch ${before.epoch + 1}).`,
  why: move.why,
});

function withheldOf(
  look: LadderLook,
  { level, next, held }: { readonly level: LadderPlace; readonly next: NextPlace | null; readonly held: string | null },
): LadderDecision["withheld"] {
  if (held === null || look.before.epoch === 0) return null;
  if (next !== null && next.withheld !== null) {
    const { to, instance } = next.withheld;
    return { to, what: to === "warm" ? `Does not wake ${instance}.` : `Does not start ${instance}.` };
  }
  const isBack = level === look.before.level && look.before.pinned === null && isSoaked(look);
  return isBack ? { to: "hot", what: "Does not fail back to hot." } : null;
}

/** Said once an epoch: the text is the same at every look. */
function heldNote(look: LadderLook, withheld: LadderDecision["withheld"], held: string | null): readonly Note[] {
  if (withheld === null || held === null) return [];
  const note: Note = { what: withheld.what, why: `${held} (epoch ${look.before.epoch}).` };
  return look.before.history.some(({ what, why }) => what === note.what && why === note.why) ? [] : [note];
}

function timeToLook(
  look: LadderLook,
  now: Pick<LadderDecision, "failovers" | "errorBudget"> & { readonly soak: string | null; readonly back: FailbackDecision },
): number | null {
  const { soak, failovers, back, errorBudget } = now;
  const since = soak === null ? null : parseWall(soak);
  const waits = waitMs(look.config, { failback: back.state, openMove: look.before.openMove, errorBudget });
  const ends = [since === null ? null : since + waits, windowEndMs(failovers, look.config.failoverPolicy)].flatMap((atMs) =>
    atMs === null || atMs <= look.wallMs ? [] : [wallMs(atMs) - look.wallMs],
  );
  const all = back.lookAgainAfterMs === null ? ends : [...ends, back.lookAgainAfterMs];
  return all.length === 0 ? null : Math.min(...all);
}
