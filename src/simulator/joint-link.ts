import type { GatewayLink } from "../ports/gateway-link.ts";

/** A gateway's connections to all control planes as one link: it hears all that speak, and all that listen hear it. */
export function jointLink(links: readonly GatewayLink[]): GatewayLink {
  const [only] = links;
  if (only !== undefined && links.length === 1) return only;
  const connected = new Set<GatewayLink>();
  return {
    open(hello, events) {
      for (const link of links) {
        link.open(hello, {
          connected: () => {
            connected.add(link);
            events.connected();
          },
          message: (message) => events.message(message),
          disconnected: () => {
            connected.delete(link);
            if (connected.size === 0) events.disconnected();
          },
        });
      }
    },
    send: (message) => links.map((link) => link.send(message)).includes(true),
    close: () => {
      for (const link of links) link.close();
    },
  };
}
