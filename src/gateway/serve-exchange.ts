import { capTokens } from "../admission/token-cap.ts";
import type { TenantId } from "../base/ids.ts";
import type { Exchange, ExchangeEvents, Handler } from "../ports/http-front.ts";
import type { Random } from "../ports/random.ts";
import { API_OF_TARGET, isApiTarget, type ApiTarget } from "../wire/openai-api.ts";
import { openAiModelList } from "../wire/openai-models.ts";
import type { CompletionRequest } from "../wire/openai-request.ts";
import { readOpenAiRequest } from "../wire/read-openai-request.ts";
import type { OpenAiError } from "../wire/openai-error.ts";
import { answerError, answerJson } from "./answer.ts";
import { BodyCollector, type BodyRoom } from "./body-collector.ts";
import type { ClientRequest } from "./client-request.ts";
import {
  draining,
  encodedBody,
  invalidRequest,
  tooManyOpen,
  tooManyTokens,
  starting,
  unauthorised,
  unknownModel,
  unknownRoute,
  wrongMethod,
} from "./explain.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import { headerOf } from "./header-of.ts";
import type { KeyIndex } from "./key-index.ts";
import type { Pump } from "./pump.ts";
import type { RouteStore } from "./route-store.ts";
import type { ServiceDesks } from "./service-desk.ts";
import { newStreamPast } from "./stream-past.ts";

export interface ServeParts {
  readonly ports: { readonly random: Random };
  readonly routes: RouteStore;
  readonly keys: KeyIndex;
  readonly desks: ServiceDesks;
  readonly pump: Pump;
  readonly metrics: GatewayMetrics;
  readonly room: BodyRoom;
  readonly startedSeconds: number;
  isReady(): boolean;
  isDraining(): boolean;
}

interface Route {
  readonly method: "GET" | "POST";
  readonly needsKey: boolean;
}

/** Every address of the tenant listener; anything else is 404. Health tells no secret, the rest needs a key. */
const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ...Object.keys(API_OF_TARGET).map((target): [string, Route] => [target, { method: "POST", needsKey: true }]),
  ["/v1/models", { method: "GET", needsKey: true }],
  ["/healthz", { method: "GET", needsKey: false }],
  ["/readyz", { method: "GET", needsKey: false }],
]);

/** The tenants' handler: routes, authenticates, admits, and gives what is admitted to the pump. */
export function serveExchange(parts: ServeParts): Handler {
  return (exchange) => {
    const requestId = requestIdOf(exchange, parts.ports.random);
    const path = exchange.target.split("?", 1)[0] ?? "";
    const route = ROUTES.get(path);
    const refuse = (error: OpenAiError, reason: string, more: readonly string[] = []): ExchangeEvents => {
      parts.metrics.unrouted.with(reason).add(1);
      answerError(exchange, requestId, error, more);
      return NOTHING_MORE;
    };
    if (route === undefined) return refuse(unknownRoute, "route");
    if (exchange.method !== route.method) return refuse(wrongMethod, "method", ["allow", route.method]);
    if (!route.needsKey) return answerHealth(parts, exchange, { requestId, isReadiness: path === "/readyz" });
    if (!parts.isReady()) return refuse(starting, "starting");
    const tenant = parts.keys.tenantOf(headerOf(exchange.headers, "authorization"));
    if (tenant === null) return refuse(unauthorised, "key");
    if (path === "/v1/models") {
      const models = parts.routes.modelsOf(tenant).map((id) => ({ id, ownedBy: tenant }));
      answerJson(exchange, requestId, openAiModelList(models, parts.startedSeconds));
      return NOTHING_MORE;
    }
    if (parts.isDraining()) return refuse(draining, "draining");
    if (isEncoded(exchange)) return refuse(encodedBody, "encoding");
    const target: ApiTarget = isApiTarget(path) ? path : "/v1/chat/completions";
    return new BodyCollector(exchange, parts.room, {
      complete: (body, release) => admit(parts, { exchange, requestId, token: parts.ports.random.token(6), tenant, target, body, release }),
      refuse: (error) => refuse(error, "body"),
      gone: (request) => parts.pump.gone(request),
    });
  };
}

interface Arrived {
  readonly exchange: Exchange;
  readonly requestId: string;
  /** By chance: no other request has it. */
  readonly token: string;
  readonly tenant: TenantId;
  readonly target: ApiTarget;
  readonly body: Buffer;
  /** Gives the body's bytes back to the room. */
  release(): void;
}

/** @returns null when the request was answered here. */
function admit(parts: ServeParts, arrived: Arrived): ClientRequest | null {
  const { exchange, requestId, tenant, body } = arrived;
  // Its head came before the drain began, and its body after what runs was looked at.
  if (parts.isDraining()) return refuseUnrouted(parts, arrived, draining, "draining");
  const parsed = readOpenAiRequest(API_OF_TARGET[arrived.target], body);
  if (!parsed.ok)
    return refuseUnrouted(parts, arrived, invalidRequest(parsed.error.code, parsed.error.message, parsed.error.param), "json");
  const table = parts.routes.find(tenant, parsed.value.model);
  if (table === null) return refuseUnrouted(parts, arrived, unknownModel(parsed.value.model), "model");
  const desk = parts.desks.of(table);
  const refuseLimited = (error: OpenAiError): null => {
    desk.countOutcome("limited");
    answerError(exchange, requestId, error);
    arrived.release();
    return null;
  };
  const { api } = parsed.value;
  const cap = capTokens(parsed.value.maxTokens, api === "embeddings" ? null : table.limits.maxTokens);
  if (cap.kind === "refuse") return refuseLimited(tooManyTokens(cap.limit, api === "responses" ? "max_output_tokens" : "max_tokens"));
  const slot = desk.concurrency.enter(table.limits.concurrency);
  if (slot === null) return refuseLimited(tooManyOpen(table.limits.concurrency ?? 0));
  const request = newRequest(arrived, parsed.value, {
    desk,
    addedMaxTokens: cap.kind === "set" ? cap.maxTokens : null,
    slot: {
      release: () => {
        slot.release();
        arrived.release();
      },
    },
  });
  parts.pump.begin(request);
  return request;
}

function newRequest(
  arrived: Arrived,
  parsed: CompletionRequest,
  admitted: Pick<ClientRequest, "desk" | "addedMaxTokens" | "slot">,
): ClientRequest {
  return {
    id: arrived.requestId,
    upstreamId: `${arrived.requestId}.${arrived.token}`,
    tenant: arrived.tenant,
    model: parsed.model,
    target: arrived.target,
    exchange: arrived.exchange,
    body: arrived.body,
    parsed,
    ...admitted,
    arrivedAt: arrived.exchange.arrivedAt,
    hasHead: false,
    commentedAt: arrived.exchange.arrivedAt,
    isFull: false,
    hasFirstByte: false,
    journal: null,
    fingerprint: null,
    prefix: null,
    past: newStreamPast(),
    isSettled: false,
    isLate: false,
    attempts: 0,
    reroutes: 0,
    failure: null,
    tried: [],
    isReturned: false,
    deaths: [],
    suspectBody: null,
    isTrial: false,
    isQuarantined: false,
    degradedTo: null,
    // Another model's vectors lie in another space.
    canDegrade: parsed.api !== "embeddings",
    holdUntil: arrived.exchange.arrivedAt,
    sentAt: arrived.exchange.arrivedAt,
    running: null,
    held: null,
  };
}

function refuseUnrouted(parts: ServeParts, arrived: Arrived, error: OpenAiError, reason: string): null {
  parts.metrics.unrouted.with(reason).add(1);
  answerError(arrived.exchange, arrived.requestId, error);
  arrived.release();
  return null;
}

function answerHealth(parts: ServeParts, exchange: Exchange, ask: { requestId: string; isReadiness: boolean }): ExchangeEvents {
  const isFine = !ask.isReadiness || (parts.isReady() && !parts.isDraining());
  const body = Buffer.from(JSON.stringify({ status: isFine ? "ok" : "not ready" }));
  const headers = ["content-type", "application/json", "content-length", String(body.length), "x-request-id", ask.requestId];
  exchange.head(isFine ? 200 : 503, headers);
  exchange.write(body);
  exchange.end();
  return NOTHING_MORE;
}

/** The client's own id is kept when it can stand in a header and a log as it is. */
function requestIdOf(exchange: Exchange, random: Random): string {
  const given = headerOf(exchange.headers, "x-request-id");
  return given !== null && /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : `req_${random.token(12)}`;
}

function isEncoded(exchange: Exchange): boolean {
  const encoding = headerOf(exchange.headers, "content-encoding");
  return encoding !== null && encoding.trim().toLowerCase() !== "identity";
}

const NOTHING_MORE: ExchangeEvents = { body: () => {}, bodyEnd: () => {}, drained: () => {}, gone: () => {} };
