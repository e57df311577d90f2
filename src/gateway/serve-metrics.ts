import type { Exchange, ExchangeEvents, Handler } from "../ports/http-front.ts";

/** GET /metrics, for a listener that tenants do not reach. */
export function serveMetrics(source: { metricsText(): string }): Handler {
  return (exchange) => {
    const isMetrics = exchange.method === "GET" && exchange.target.split("?", 1)[0] === "/metrics";
    if (isMetrics) answerText(exchange, { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", text: source.metricsText() });
    else answerText(exchange, { status: 404, type: "text/plain", text: "Only GET /metrics is here.\n" });
    return NOTHING_MORE;
  };
}

function answerText(exchange: Exchange, answer: { readonly status: number; readonly type: string; readonly text: string }): void {
  const body = Buffer.from(answer.text);
  exchange.head(answer.status, ["content-type", answer.type, "content-length", String(body.length)]);
  exchange.write(body);
  exchange.end();
}

const NOTHING_MORE: ExchangeEvents = { body: () => {}, bodyEnd: () => {}, drained: () => {}, gone: () => {} };
