import type { EndpointAddress } from "../api/route-table.ts";
import type { KeyHash } from "../base/ids.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Exchange, ExchangeEvents } from "../ports/http-front.ts";
import type { KeyDigest } from "../ports/key-digest.ts";
import { checkCaller, valuesOf } from "./check-caller.ts";
import { createBodyCollector } from "./collect-body.ts";
import type { AdminAnswer, AdminRequest, AdminRoute, AdminStreamEvents, RouteMatch } from "./route.ts";
import { answerRefusal, JSON_TYPE, type Refusal } from "./status.ts";

export interface ServePolicy {
  readonly listening: EndpointAddress;
  readonly names: readonly string[];
  /** null = no token is set. */
  readonly tokenDigest: KeyHash | null;
  readonly digest: KeyDigest;
  readonly log: EventLog;
  readonly table: (method: string, path: string) => RouteMatch;
}

/** From one request to one answer: caller, route, token, media type, body, then the route itself. */
export function serveExchange(exchange: Exchange, policy: ServePolicy): ExchangeEvents {
  const admitted = admit(exchange, policy);
  if (admitted.outcome === "refused") return refuseEarly(exchange, admitted);
  const body = createBodyCollector();
  let isAnswered = false;
  let isGone = false;
  let stream: AdminStreamEvents | null = null;
  const answer = (given: AdminAnswer): void => {
    if (isGone) return;
    if (given.form === "whole") sendWhole(exchange, given);
    else stream = openStream(exchange, given);
  };
  return {
    body(chunk) {
      if (isAnswered) return;
      const refusal = body.add(chunk);
      if (refusal === null) return;
      isAnswered = true;
      sendWhole(exchange, answerRefusal(refusal), ["connection", "close"]);
    },
    bodyEnd() {
      if (isAnswered) return;
      isAnswered = true;
      const text = body.text();
      if (!text.ok) answer(answerRefusal(text.error));
      else void runRoute(admitted.route, { ...admitted.request, body: text.value }, policy.log).then(answer);
    },
    drained: () => stream?.drained(),
    gone() {
      isAnswered = true;
      isGone = true;
      stream?.gone();
    },
  };
}

type Admission =
  | { readonly outcome: "admitted"; readonly route: AdminRoute; readonly request: Omit<AdminRequest, "body"> }
  | { readonly outcome: "refused"; readonly refusal: Refusal; readonly headers: readonly string[] };

function admit(exchange: Exchange, policy: ServePolicy): Admission {
  const refused = (refusal: Refusal, headers: readonly string[] = []): Admission => ({ outcome: "refused", refusal, headers });
  const refusal = checkCaller(exchange.headers, policy);
  if (refusal !== null) return refused(refusal);
  const mark = exchange.target.indexOf("?");
  const path = mark === -1 ? exchange.target : exchange.target.slice(0, mark);
  const match = policy.table(exchange.method, path);
  const isOpen = match.found === "route" && match.route.auth === "open";
  // Before 404 and 405, so that without the token nobody learns what exists.
  if (!isOpen && !hasToken(exchange.headers, policy)) {
    return refused({ reason: "Unauthorized", message: "A token is needed: send Authorization: Bearer TOKEN." }, [
      "www-authenticate",
      "Bearer",
    ]);
  }
  if (match.found === "nothing") return refused({ reason: "NotFound", message: "There is nothing at this path." });
  if (match.found === "path") {
    const allowed = match.methods.join(", ");
    return refused({ reason: "MethodNotAllowed", message: `This path answers to ${allowed} only.` }, ["allow", allowed]);
  }
  const { route, parameters } = match;
  const contentType = contentTypeOf(exchange.headers);
  if (route.accepts.length > 0 && (contentType === null || !route.accepts.includes(contentType))) {
    return refused({ reason: "UnsupportedMediaType", message: `Send the body as ${route.accepts.join(" or ")}.` });
  }
  const query = new URLSearchParams(mark === -1 ? "" : exchange.target.slice(mark + 1));
  return { outcome: "admitted", route, request: { method: exchange.method, parameters, query, contentType } };
}

// Digests are compared, not tokens: how long it takes says nothing about the token.
function hasToken(headers: readonly string[], policy: ServePolicy): boolean {
  if (policy.tokenDigest === null) return true;
  const values = valuesOf(headers, "authorization");
  const match = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(values.length === 1 ? (values[0] ?? "") : "");
  return policy.digest.digest(match?.[1] ?? "") === policy.tokenDigest;
}

function contentTypeOf(headers: readonly string[]): string | null {
  const values = valuesOf(headers, "content-type");
  if (values.length !== 1) return null;
  return (values[0] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? null;
}

async function runRoute(route: AdminRoute, request: AdminRequest, log: EventLog): Promise<AdminAnswer> {
  try {
    return await route.handle(request);
  } catch (cause) {
    const why = cause instanceof Error ? (cause.stack ?? cause.message) : "not an Error";
    log.record({ level: "error", event: "admin.route-broke", fields: { method: route.method, pattern: route.pattern, why } });
    return answerRefusal({ reason: "InternalError", message: "This is a mistake of ours; the event log has it as admin.route-broke." });
  }
}

// The body was not read, so the connection cannot be used again.
function refuseEarly(exchange: Exchange, admitted: Extract<Admission, { outcome: "refused" }>): ExchangeEvents {
  const answer = answerRefusal(admitted.refusal);
  const hasBody = exchange.method !== "GET";
  if (answer.form === "whole") sendWhole(exchange, answer, [...admitted.headers, ...(hasBody ? ["connection", "close"] : [])]);
  return { body: ignore, bodyEnd: ignore, drained: ignore, gone: ignore };
}
const ignore = (): undefined => undefined;

function sendWhole(exchange: Exchange, answer: AdminAnswer, more: readonly string[] = []): void {
  if (answer.form !== "whole") return;
  const bytes = new TextEncoder().encode(answer.body);
  exchange.head(answer.status, [...answer.headers, ...more, "content-length", `${bytes.length}`, "x-content-type-options", "nosniff"]);
  if (bytes.length > 0) exchange.write(bytes);
  exchange.end();
}

function openStream(exchange: Exchange, answer: Extract<AdminAnswer, { form: "stream" }>): AdminStreamEvents {
  const encoder = new TextEncoder();
  exchange.head(200, ["content-type", JSON_TYPE, "cache-control", "no-store", "x-content-type-options", "nosniff"]);
  return answer.open({
    send: (line) => exchange.write(encoder.encode(`${line}\n`)),
    end: () => exchange.end(),
  });
}
