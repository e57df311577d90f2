import { later, monotonicMs, type MonotonicMs } from "../base/ids.ts";
import type { RouteTable } from "../api/route-table.ts";
import { chooseDegraded, type DegradedModel } from "./degraded-model.ts";
import { endpointKey, type EndpointKey } from "./health.ts";
import { decideHedge, type HedgeBudgets, type LateAttempt } from "./hedge.ts";
import { chooseAiling, chooseEndpoint, onlyOf, type Choice, type LadderView } from "./ladder.ts";
import type { PrefillBudget } from "./prefill-budget.ts";
import { wishToWake, type WakeView, type WakeWish } from "./wake-wish.ts";

/** Re-routes after a hard death are free, so they are bounded per request: a request that kills engines stops here. */
export const REROUTES_MAX = 2;

/** How the last attempt ended. Hard = the engine is gone, whatever the request was. */
export interface AttemptFailure {
  readonly isHard: boolean;
  readonly code:
    | "upstream_lost"
    | "upstream_refused"
    | "upstream_stalled"
    | "upstream_malformed"
    | "upstream_truncated"
    | "upstream_error"
    | "upstream_busy"
    /** It was to go on with an answer that another one began, and says something else. */
    | "upstream_diverged"
    /** It was to go on with an answer that another one began, and takes no such request. */
    | "upstream_rejected"
    /** It is about to be ended as planned. */
    | "upstream_drained";
}

/** What a client has of an answer whose engine is gone. */
export interface StreamPrefix {
  /** To be read again by the next engine: prompt and answer so far. */
  readonly tokens: number;
  /** Only an engine of this one makes the same tokens. */
  readonly fingerprint: string;
  /** So long its client waits for an engine that is there and reads others' prompts first. */
  readonly waitUntil: MonotonicMs;
}

export interface AttemptRequest {
  /** true once a byte went to the client: the answer has begun. */
  readonly hasFirstByte: boolean;
  /** Of an answer that has begun and can go on elsewhere; null = it ends with its engine. */
  readonly prefix: StreamPrefix | null;
  readonly reroutes: number;
  readonly failure: AttemptFailure | null;
  readonly tried: readonly EndpointKey[];
  readonly holdUntil: MonotonicMs;
  /** Engines died under it, or under the same body: it is tried nowhere. */
  readonly isQuarantined: boolean;
  /** It runs, and has no first token when it should have one: may another engine be asked as well? */
  readonly isLate: boolean;
}

export interface AttemptBudgets extends HedgeBudgets {
  /** The soft-retry budget has room. */
  readonly canRetry: boolean;
  /** The hold queue has room for this request, or already holds it. */
  readonly canHold: boolean;
}

export type RefusalCode = "no_endpoint" | "shed" | "hold_full" | "service_gone" | "request_quarantined" | AttemptFailure["code"];

export type NextAttempt =
  | {
      readonly kind: "send";
      readonly choice: Choice;
      readonly because: "first" | "reroute" | "retry";
      /** What the client already has, to be continued from; null = the answer starts anew. */
      readonly prefix: StreamPrefix | null;
      /** Everything that serves is full: somebody is woken beside it. */
      readonly wake: WakeWish | null;
    }
  /** Another model answers, in the free room of the service that serves it. */
  | {
      readonly kind: "degrade";
      readonly by: DegradedModel;
      readonly choice: Choice;
      readonly because: "first" | "reroute" | "retry";
      readonly wake: WakeWish | null;
    }
  | { readonly kind: "hold"; readonly until: MonotonicMs; readonly wake: WakeWish | null }
  /** `retryAfterMs`: when asking again makes sense; null = the code says it. */
  | { readonly kind: "refuse"; readonly code: RefusalCode; readonly retryAfterMs: number | null }
  | { readonly kind: "fail-stream"; readonly code: AttemptFailure["code"] }
  /** Only of a request that is late. */
  | LateAttempt;

type AttemptView = LadderView & {
  readonly prefill: Pick<PrefillBudget, "hasRoom">;
  readonly budgets: AttemptBudgets;
  readonly wakes: WakeView;
  /** What its degraded steps name, in their order. */
  readonly degraded: readonly DegradedModel[];
};

/**
 * What to do with a request now. First pick, retry, re-route and hedge are this one question; arrival, a failure, a table change,
 * a wake and a returned endpoint only ask it again.
 */
export function nextAttempt(request: AttemptRequest, table: RouteTable | null, view: AttemptView): NextAttempt {
  const { failure } = request;
  if (request.hasFirstByte) return continueOrFail(request, table, view);
  if (request.isQuarantined) return refuse("request_quarantined");
  if (table === null) return refuse("service_gone");
  if (request.isLate && failure === null) return decideHedge(request, table, view);
  const isFree = failure !== null && isFreeAfter(failure, request.reroutes);
  if (failure !== null && !isFree && !view.budgets.canRetry) return refuse(failure.code);
  const choice = chooseEndpoint(table, view, request.tried);
  if (choice === null) return waitOrRefuse(request, table, view);
  const isOvertaking = choice.isCrowded && view.budgets.isQueueAhead && view.now < request.holdUntil && view.budgets.canHold;
  // A retried request sees only a part of the ladder: what is full to it need not be full.
  const wake = choice.isCrowded && failure === null ? wishToWake(table, view.wakes, "saturated") : null;
  if (isOvertaking) return { kind: "hold", until: request.holdUntil, wake };
  return { kind: "send", choice, because: becauseOf(failure, isFree), prefix: null, wake };
}

/** An answer that has begun goes on where the same tokens are made, at another engine than those that failed it, or ends with an error. */
function continueOrFail(request: AttemptRequest, table: RouteTable | null, view: AttemptView): NextAttempt {
  const { prefix, failure } = request;
  const failed: NextAttempt = { kind: "fail-stream", code: failure?.code ?? "upstream_lost" };
  if (prefix === null || table === null || request.isQuarantined) return failed;
  const isFree = failure === null || isFreeAfter(failure, request.reroutes);
  if (!isFree && !view.budgets.canRetry) return failed;
  const equal = onlyOf(table, (one) => one.fingerprint === prefix.fingerprint && !request.tried.includes(endpointKey(one)));
  const choice = chooseEndpoint(
    onlyOf(equal, (one) => view.prefill.hasRoom(one, prefix.tokens)),
    view,
    [],
  );
  if (choice !== null) return { kind: "send", choice, because: isFree ? "reroute" : "retry", prefix, wake: null };
  const isBusy = chooseEndpoint(equal, view, []) !== null;
  const wake = isBusy ? null : wishToWake(table, view.wakes, "lost");
  const wakeUntil = wake === null ? view.wakes.wakingUntil : later(view.now, view.wakes.budgetMs);
  const until = monotonicMs(Math.max(request.holdUntil, wakeUntil ?? 0, isBusy ? prefix.waitUntil : 0));
  return view.now < until && view.budgets.canHold ? { kind: "hold", until, wake } : failed;
}

/** Nobody serves. The degraded steps begin where the ladder ends, so a wake is waited for whatever they say. */
function waitOrRefuse(request: AttemptRequest, table: RouteTable, view: AttemptView): NextAttempt {
  const wake = wishToWake(table, view.wakes, "lost");
  const wakeUntil = wake === null ? view.wakes.wakingUntil : later(view.now, view.wakes.budgetMs);
  const isFree = request.failure !== null && isFreeAfter(request.failure, request.reroutes);
  const because = becauseOf(request.failure, isFree);
  // Who is being woken will answer well soon; where nobody is, nothing better can be waited for.
  const ailing = wakeUntil === null ? chooseAiling(table, view, request.tried) : null;
  if (ailing !== null) return { kind: "send", choice: ailing, because, prefix: null, wake: null };
  const until = monotonicMs(Math.max(request.holdUntil, wakeUntil ?? 0));
  const { canHold } = view.budgets;
  const reachedAt = ({ beforeEndMs }: DegradedModel): number => Math.max(request.holdUntil - beforeEndMs, wakeUntil ?? 0);
  // Who may not wait has reached the end of its waiting.
  const reached = view.degraded.filter((one) => !canHold || view.now >= reachedAt(one));
  const degraded = chooseDegraded(reached, view, request.tried);
  if (degraded !== null) return { kind: "degrade", ...degraded, because, wake };
  if (view.now < until) {
    const askAt = view.degraded.map((one) => (view.now < reachedAt(one) ? reachedAt(one) : view.now + DEGRADED_ASK_EVERY_MS));
    return canHold ? { kind: "hold", until: monotonicMs(Math.min(until, ...askAt)), wake } : refuse("hold_full");
  }
  // After a hard death nobody is there: that, and when to come again, is what its client must know.
  if (request.failure !== null && !request.failure.isHard) return refuse(request.failure.code);
  const isShed = table.degraded.some((step) => step.kind === "shed");
  return { kind: "refuse", code: isShed ? "shed" : "no_endpoint", retryAfterMs: retryAfterMsOf(table) };
}

/** The other service tells nobody that it has room again. */
const DEGRADED_ASK_EVERY_MS = 250;
const RETRY_AFTER_MIN_MS = 1_000;
const RETRY_AFTER_MAX_MS = 30_000;

/** A whole recovery takes as long as is promised: to ask much sooner is in vain. */
const retryAfterMsOf = (table: RouteTable): number => Math.min(RETRY_AFTER_MAX_MS, Math.max(RETRY_AFTER_MIN_MS, table.rtoTargetMs));

const refuse = (code: RefusalCode): NextAttempt => ({ kind: "refuse", code, retryAfterMs: null });

/** A refused connection never met the engine, so it cannot have killed it, and a planned end is no fault: the bound is not for them. */
const isFreeAfter = (failure: AttemptFailure, reroutes: number): boolean =>
  !isBounded(failure) || (failure.isHard && reroutes < REROUTES_MAX);

/** A re-route after it counts against `REROUTES_MAX`. */
export const isBounded = (failure: AttemptFailure | null): boolean =>
  failure?.code !== "upstream_refused" && failure?.code !== "upstream_drained";

function becauseOf(failure: AttemptFailure | null, isFree: boolean): "first" | "reroute" | "retry" {
  if (failure === null) return "first";
  return isFree ? "reroute" : "retry";
}
