import type { MonotonicMs } from "../base/ids.ts";
import type { RouteTable } from "../api/route-table.ts";
import type { EndpointKey } from "./health.ts";
import { chooseEndpoint, type Choice, type LadderView } from "./ladder.ts";

/** Re-routes after a hard death are free, so they are bounded per request: a request that kills engines stops here. */
export const REROUTES_MAX = 2;

/** How the last attempt ended. Hard = the engine is gone, whatever the request was. */
export interface AttemptFailure {
  readonly isHard: boolean;
  readonly code: "upstream_lost" | "upstream_stalled" | "upstream_malformed" | "upstream_truncated" | "upstream_error" | "upstream_busy";
}

export interface AttemptRequest {
  /** true once a byte went to the client: the answer has begun. */
  readonly hasFirstByte: boolean;
  readonly reroutes: number;
  readonly failure: AttemptFailure | null;
  readonly tried: readonly EndpointKey[];
  readonly holdUntil: MonotonicMs;
}

export interface AttemptBudgets {
  /** The soft-retry budget has room. */
  readonly canRetry: boolean;
  /** The hold queue has room for this request, or already holds it. */
  readonly canHold: boolean;
}

export type RefusalCode = "no_endpoint" | "hold_full" | "service_gone" | AttemptFailure["code"];

export type NextAttempt =
  | {
      readonly kind: "send";
      readonly choice: Choice;
      readonly because: "first" | "reroute" | "retry";
      /** What the client already has, to be continued from; null = the answer starts anew. */
      readonly prefix: null;
    }
  | { readonly kind: "hold"; readonly until: MonotonicMs }
  | { readonly kind: "refuse"; readonly code: RefusalCode }
  | { readonly kind: "fail-stream"; readonly code: AttemptFailure["code"] };

/**
 * What to do with a request now. First pick, retry and re-route are this one question; arrival, a failure, a table change
 * and a returned endpoint only ask it again.
 */
export function nextAttempt(
  request: AttemptRequest,
  table: RouteTable | null,
  view: LadderView & { readonly budgets: AttemptBudgets; readonly now: MonotonicMs },
): NextAttempt {
  const { failure } = request;
  if (request.hasFirstByte) return { kind: "fail-stream", code: failure?.code ?? "upstream_lost" };
  if (table === null) return { kind: "refuse", code: "service_gone" };
  const isFree = failure !== null && failure.isHard && request.reroutes < REROUTES_MAX;
  if (failure !== null && !isFree && !view.budgets.canRetry) return { kind: "refuse", code: failure.code };
  const choice = chooseEndpoint(table, view, request.tried);
  if (choice !== null) return { kind: "send", choice, because: becauseOf(failure, isFree), prefix: null };
  if (view.now >= request.holdUntil) return { kind: "refuse", code: failure?.code ?? "no_endpoint" };
  return view.budgets.canHold ? { kind: "hold", until: request.holdUntil } : { kind: "refuse", code: "hold_full" };
}

function becauseOf(failure: AttemptFailure | null, isFree: boolean): "first" | "reroute" | "retry" {
  if (failure === null) return "first";
  return isFree ? "reroute" : "retry";
}
