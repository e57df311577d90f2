import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import type { UpstreamRequest } from "../ports/upstream.ts";
import { completionBodyFor } from "../wire/openai-request.ts";
import type { ClientRequest } from "./client-request.ts";

/** What an engine is asked for a client's request. `id` names it in the engine's log. */
export function upstreamRequestOf(request: ClientRequest, to: { table: RouteTable; endpoint: RungEndpoint }, id: string): UpstreamRequest {
  const { body, parsed, target } = request;
  const model = request.degradedTo ?? request.model;
  // Other names of a table are adapters, which the engine knows by the same name.
  const upstreamModel = model === to.table.models[0] ? (to.endpoint.upstreamModel ?? model) : model;
  const accept = parsed.isStream ? "text/event-stream" : "application/json";
  return {
    method: "POST",
    target,
    headers: ["content-type", "application/json", "accept", accept, "x-request-id", id],
    body: completionBodyFor(body, parsed, { upstreamModel, maxTokens: addedMaxTokensOf(request, to.table) }),
  };
}

/** A request that names no limit gets its service's, and that of the service which answers in its place. */
function addedMaxTokensOf({ parsed, addedMaxTokens }: ClientRequest, table: RouteTable): number | null {
  const limit = parsed.maxTokens === null ? table.limits.maxTokens : null;
  return addedMaxTokens === null || limit === null ? (addedMaxTokens ?? limit) : Math.min(addedMaxTokens, limit);
}
