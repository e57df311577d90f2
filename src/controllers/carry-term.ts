import type { GatewayHub } from "../ports/gateway-link.ts";
import type { Upstream } from "../ports/upstream.ts";
import { TERM_HEADER } from "../wire/term-header.ts";

/** Every order to an engine names the term of the leader that gives it: an engine that has heard of a newer one refuses it. */
export const termUpstream = (upstream: Upstream, term: number): Upstream => ({
  call: (to, request, events) => upstream.call(to, { ...request, headers: [...request.headers, TERM_HEADER, `${term}`] }, events),
});

/** Every word to a gateway names it too. */
export const termHub = (hub: GatewayHub, term: number): GatewayHub => ({
  listen: (events) => hub.listen(events),
  send: (to, message) => hub.send(to, { ...message, term }),
  close: () => hub.close(),
});
