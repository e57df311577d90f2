import type { RouteTable } from "../api/route-table.ts";
import { endpointKey, type EndpointKey, type HealthIndex } from "../routing/health.ts";
import { readyEndpoints } from "../routing/ladder.ts";
import type { PrefillBudget } from "../routing/prefill-budget.ts";
import type { ClientRequest } from "./client-request.ts";
import { restOf, type GoingOn, type StreamRest } from "./continue-stream.ts";
import type { ContinueRefusal } from "./stream-past.ts";

export interface ElsewhereView {
  readonly health: HealthIndex;
  readonly woken: ReadonlySet<EndpointKey>;
}

/** Somebody could take a request that has not begun. */
export function canMove(request: ClientRequest, table: RouteTable | null, { health, woken }: ElsewhereView): boolean {
  if (table === null || !request.desk.retryBudget.canRetry()) return false;
  return readyEndpoints(table, woken).some((one) => health.ejectionOf(one) === null && !request.tried.includes(endpointKey(one)));
}

/** Somebody could go on with an answer that has begun, and may read it again now. */
export function canGoOn(
  request: ClientRequest,
  table: RouteTable | null,
  { health, woken, prefill }: ElsewhereView & { readonly prefill: PrefillBudget },
): boolean {
  if (table === null || !request.hasFirstByte) return false;
  const equal = readyEndpoints(table, woken).filter(
    (one) => one.fingerprint === request.fingerprint && health.ejectionOf(one) === null && !request.tried.includes(endpointKey(one)),
  );
  if (equal.length === 0) return false;
  const rest = restFor(request, table);
  return rest !== null && equal.some((one) => prefill.hasRoom(one, rest.prefix.tokens));
}

/** null = the answer begins with the next attempt, or nobody can go on with it. */
export function restFor(request: ClientRequest, table: RouteTable): GoingOn | null {
  const rest = request.hasFirstByte ? restOf(request, table) : null;
  return rest === null || rest.kind === "framing" || rest.kind === "none" ? null : rest;
}

export function refusalOf({ failure }: Pick<ClientRequest, "failure">, rest: StreamRest | null): ContinueRefusal | null {
  if (failure?.code === "upstream_diverged") return "diverged";
  // Said only where nobody else takes it.
  if (failure?.code === "upstream_rejected") return "rejected";
  return rest?.kind === "none" ? rest.why : null;
}
