import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import type { UpstreamRequest } from "../ports/upstream.ts";
import type { ChunkWish } from "../wire/chunk-extras.ts";
import { completionBodyFor } from "../wire/openai-request.ts";
import type { ClientRequest } from "./client-request.ts";

export interface Destination {
  readonly table: RouteTable;
  readonly endpoint: RungEndpoint;
}

/** Asks for nothing but what the client wants. */
export const NO_WISH: ChunkWish = { takesIds: false, takesUsage: false };

/** What an engine is asked for a client's request. `id` names it in the engine's log. */
export function upstreamRequestOf(request: ClientRequest, to: Destination, id: string, wish: ChunkWish = NO_WISH): UpstreamRequest {
  const { body, parsed, target } = request;
  const accept = parsed.isStream ? "text/event-stream" : "application/json";
  const upstreamModel = upstreamModelOf(request, to);
  const maxTokens = addedMaxTokensOf(request, to.table);
  return {
    method: "POST",
    target,
    headers: ["content-type", "application/json", "accept", accept, "x-request-id", id],
    body: completionBodyFor(body, parsed, { upstreamModel, maxTokens, asksIds: wish.takesIds, asksUsage: wish.takesUsage }),
  };
}

/** Other names of a table are adapters, which the engine knows by the same name. */
export function upstreamModelOf(request: ClientRequest, { table, endpoint }: Destination): string {
  const model = request.degradedTo ?? request.model;
  return model === table.models[0] ? (endpoint.upstreamModel ?? model) : model;
}

/** Tokens that the answer may have at most; null = as many as fit. */
export const tokenLimitOf = (request: ClientRequest, table: RouteTable): number | null =>
  request.parsed.maxTokens ?? addedMaxTokensOf(request, table);

/** A request that names no limit gets its service's, and that of the service which answers in its place. */
function addedMaxTokensOf({ parsed, addedMaxTokens }: ClientRequest, table: RouteTable): number | null {
  if (parsed.api === "embeddings") return null;
  const limit = parsed.maxTokens === null ? table.limits.maxTokens : null;
  return addedMaxTokens === null || limit === null ? (addedMaxTokens ?? limit) : Math.min(addedMaxTokens, limit);
}
