// The bench's negative control: routes 80/20 as the gateway does, with failover off. It never retries, ejects or judges.
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { ProxyEndpoint, ProxyMessage } from "./no-failover.ts";

let endpoints: readonly ProxyEndpoint[] = [];
const credits = new Map<string, number>();

/** Smooth weighted choice, among all endpoints whatever their state. */
function choose(): ProxyEndpoint | null {
  let best: ProxyEndpoint | null = null;
  for (const endpoint of endpoints) {
    credits.set(endpoint.instance, (credits.get(endpoint.instance) ?? 0) + endpoint.weight);
    if (best === null || (credits.get(endpoint.instance) ?? 0) > (credits.get(best.instance) ?? 0)) best = endpoint;
  }
  const total = endpoints.reduce((sum, { weight }) => sum + weight, 0);
  if (best !== null) credits.set(best.instance, (credits.get(best.instance) ?? 0) - total);
  return best;
}

function serve(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const to = choose();
  const fail = (): void => {
    if (outgoing.headersSent) return void outgoing.destroy();
    outgoing.writeHead(502, { "content-type": "application/json" });
    outgoing.end(JSON.stringify({ error: { message: "The engine failed.", type: "server_error", param: null, code: "bad_gateway" } }));
  };
  if (to === null) return fail();
  const headers = { "content-type": "application/json", "content-length": incoming.headers["content-length"] ?? "0" };
  const upstream = request({ host: "127.0.0.1", port: to.port, method: incoming.method, path: incoming.url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, {
      "content-type": answer.headers["content-type"] ?? "application/json",
      "x-tidegate-instance": to.instance,
      "x-tidegate-level": "hot",
      "x-tidegate-attempts": "1",
    });
    answer.on("error", fail);
    answer.pipe(outgoing);
  });
  upstream.on("error", fail);
  outgoing.on("close", () => upstream.destroy());
  incoming.pipe(upstream);
}

const server = createServer(serve);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.(address === null || typeof address === "string" ? 0 : address.port);
});
process.on("message", (message: ProxyMessage) => {
  ({ endpoints } = message);
});
process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
