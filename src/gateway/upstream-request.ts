import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import type { UpstreamRequest } from "../ports/upstream.ts";
import { completionBodyFor } from "../wire/openai-request.ts";
import type { ClientRequest } from "./client-request.ts";

/** What an engine is asked for a client's request. `id` names it in the engine's log. */
export function upstreamRequestOf(request: ClientRequest, to: { table: RouteTable; endpoint: RungEndpoint }, id: string): UpstreamRequest {
  const { body, parsed, target, model, addedMaxTokens } = request;
  // Other names of a table are adapters, which the engine knows by the same name.
  const upstreamModel = model === to.table.models[0] ? to.endpoint.upstreamModel : null;
  const accept = parsed.isStream ? "text/event-stream" : "application/json";
  return {
    method: "POST",
    target,
    headers: ["content-type", "application/json", "accept", accept, "x-request-id", id],
    body: completionBodyFor(body, parsed, { upstreamModel, maxTokens: addedMaxTokens }),
  };
}
